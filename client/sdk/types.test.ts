/** The types are the test: `tsc` refuses this file when a workload's payload or result is typed otherwise. */
import { describe, expectTypeOf, it } from "vitest";
import type { Grid, SubmittedJob } from "./grid.ts";
import type { Job } from "./job.ts";
import type { PayloadOf, ResultOf, WorkloadName } from "./types.ts";

declare const grid: Grid;

describe("types follow the registry", () => {
  it("names", () => {
    expectTypeOf<"monte_carlo">().toExtend<WorkloadName>();
    expectTypeOf<"image_of_nothing">().not.toExtend<WorkloadName>();
  });
  it("payloads", () => {
    expectTypeOf<PayloadOf<"monte_carlo">["iterations"]>().toEqualTypeOf<number>();
    expectTypeOf<PayloadOf<"monte_carlo">["model"]>().toEqualTypeOf<
      "pi" | "european_option" | "asian_option" | undefined
    >();
    expectTypeOf<PayloadOf<"a_later_one">>().toBeUnknown();
  });
  it("results", () => {
    expectTypeOf<ResultOf<"monte_carlo">["estimate"]>().toEqualTypeOf<number>();
    expectTypeOf<ResultOf<"crypto_mining">["found"]>().toEqualTypeOf<boolean>();
    expectTypeOf<ResultOf<"a_later_one">>().toBeUnknown();
  });
  it("calls", () => {
    const typed = () => grid.submit("monte_carlo", { iterations: 10 });
    expectTypeOf(typed).returns.resolves.toEqualTypeOf<SubmittedJob<ResultOf<"monte_carlo">>>();
    expectTypeOf(() => grid.submit("a_later_one", { anything: 1 })).returns.resolves.toEqualTypeOf<
      SubmittedJob<unknown>
    >();
    expectTypeOf(() => grid.job<"crypto_mining">("id")).returns.toEqualTypeOf<Job<ResultOf<"crypto_mining">>>();
    // @ts-expect-error iterations is a number
    const wrong = () => grid.submit("monte_carlo", { iterations: "ten" });
    // @ts-expect-error there is no such field
    const unknown = () => grid.submit("monte_carlo", { iterations: 10, itarations: 10 });
    expectTypeOf(wrong).toBeFunction();
    expectTypeOf(unknown).toBeFunction();
  });
});
