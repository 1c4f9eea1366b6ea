import { describe, expect, it } from "vitest";
import { GridProblem, readRetryAfter } from "./problem.ts";
import { Backoff, isPassing, sleep } from "./retry.ts";

describe("pauses", () => {
  const options = { baseMs: 100, capMs: 1_000, totalMs: 10_000 };
  it("double up to the cap, between half and all of it", () => {
    let now = 0;
    const low = new Backoff(
      options,
      () => now,
      () => 0,
    );
    const high = new Backoff(
      options,
      () => now,
      () => 1,
    );
    expect([1, 2, 3, 4, 5, 6].map(() => low.next())).toEqual([50, 100, 200, 400, 500, 500]);
    expect([1, 2, 3, 4, 5, 6].map(() => high.next())).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    now = 5_000;
    low.reset();
    expect(low.next()).toBe(50);
  });
  it("end with the budget, which begins with the first failure", () => {
    let now = 70_000;
    const backoff = new Backoff(
      options,
      () => now,
      () => 1,
    );
    expect(backoff.next()).toBe(100);
    now += 9_700;
    expect(backoff.next()).toBe(200);
    expect(backoff.next()).toBeNull();
    backoff.reset();
    expect(backoff.next()).toBe(100);
  });
  it("are never shorter than the coordinator asks for, and none is made that would not end in time", () => {
    const backoff = new Backoff(
      options,
      () => 0,
      () => 0,
    );
    expect(backoff.next(3_000)).toBe(3_000);
    expect(backoff.next(10_001)).toBeNull();
  });
  it("end after many, however short they are", () => {
    const backoff = new Backoff({ baseMs: 0, capMs: 0, totalMs: 1 }, () => 0);
    let tries = 0;
    while (backoff.next() !== null) tries++;
    expect(tries).toBe(200);
  });
});

describe("what passes", () => {
  const of = (code: string, status: number) => isPassing(new GridProblem({ code, status, detail: "x" }));
  it("is what may go well a little later", () => {
    expect([of("unreachable", 0), of("timeout", 0), of("rate_limited", 429), of("shutting_down", 503)]).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect([of("http_502", 502), of("http_504", 504), of("slow_body", 408)]).toEqual([true, true, true]);
  });
  it("is no refusal, no defect, and nothing that is missing for good", () => {
    for (const [code, status] of [
      ["invalid_payload", 422],
      ["unauthenticated", 401],
      ["internal", 500],
      ["planned_workload", 501],
      ["not_built", 503],
      ["untrusted_certificate", 0],
      ["invalid_argument", 0],
    ] as const) {
      expect([code, of(code, status)]).toEqual([code, false]);
    }
  });
});

describe("Retry-After", () => {
  it("is seconds or a date", () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    expect(readRetryAfter("7", now)).toBe(7);
    expect(readRetryAfter("Thu, 01 Jan 2026 00:00:30 GMT", now)).toBe(30);
    expect(readRetryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now)).toBe(0);
    for (const nonsense of [null, "soon", "-1", "1.5e9x"]) expect(readRetryAfter(nonsense, now)).toBeUndefined();
  });
});

describe("sleep", () => {
  it("ends with the signal's reason, at once", async () => {
    const controller = new AbortController();
    const slept = sleep(60_000, controller.signal);
    controller.abort(new Error("enough"));
    await expect(slept).rejects.toThrow("enough");
    await expect(sleep(60_000, controller.signal)).rejects.toThrow("enough");
  });
});
