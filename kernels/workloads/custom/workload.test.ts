import { describe, expect, it } from "vitest";
import { grainsOf, grainTasks } from "../../contract.ts";
import { itemsOf } from "../../ordered.ts";
import host from "./host.ts";
import { inputOf, tasksOf } from "./inputs.ts";
import { packOutputs } from "./outputs.ts";
import { type CustomPayload, grainTasksMax, payloadSchema } from "./payload.ts";
import workload from "./workload.ts";

const code = "export function run(at: usize, length: i32): u64 { return 0; }";
const given = { language: "assemblyscript", code, inputs: { count: 10 } };
const parse = (more: Record<string, unknown>): CustomPayload => payloadSchema.parse({ ...given, ...more });
const faults = (more: Record<string, unknown>): string[] =>
  (payloadSchema.safeParse({ ...given, ...more }).error?.issues ?? []).map(({ path }) => path.join("."));

describe("the payload of own code", () => {
  it("counts tasks by the inputs", () => {
    expect(tasksOf(parse({}))).toBe(10);
    expect(tasksOf(parse({ inputs: { values: [1, null, "x"] } }))).toBe(3);
    expect(tasksOf(parse({ inputs: { lines: "a\r\nb\n" } }))).toBe(2);
    expect(tasksOf(parse({ inputs: { base64: "AAAA", record_bytes: 1 } }))).toBe(3);
  });

  it("gives each task its own bytes", () => {
    expect([...inputOf({ inputs: { count: 2 ** 33 } }, 2 ** 32 + 1)]).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
    expect(new TextDecoder().decode(inputOf(parse({ inputs: { lines: "a\nbä" } }), 1))).toBe("bä");
    expect([...inputOf(parse({ inputs: { base64: "AAEC", record_bytes: 1 } }), 2)]).toEqual([2]);
  });

  it.each([
    [{ language: "wasm" }, ["module", "code"]],
    [{ module: "AAAA" }, ["module"]],
    [{ code: undefined }, ["code"]],
    [{ inputs: { base64: "AAAA", record_bytes: 2 } }, ["inputs.base64"]],
    [{ inputs: { count: 2 ** 40 } }, ["inputs"]],
    [{ inputs: {} }, ["inputs"]],
    [{ limits: { output_bytes: 60_000 }, tasks_per_grain: 2 }, ["tasks_per_grain"]],
  ])("refuses %j by its field", (more, fields) => {
    expect(faults(more)).toEqual(fields);
  });
});

describe("the plan of own code", () => {
  const admitted = (task_ms: number) => ({ admitted: { module: "0".repeat(64), bytes: 1, task_ms } });
  it.each([
    [1_000_000, 0.01, 257],
    [1_000, 100, 10],
    [10, 5_000, 1],
  ])("cuts %i tasks of %d ms into grains of %i tasks", (count, ms, expected) => {
    expect(workload.plan(parse({ inputs: { count }, ...admitted(ms) })).grainTasks).toBe(expected);
  });

  it("keeps the outputs of a grain within a partial", () => {
    const payload = parse({ inputs: { count: 1_000 }, limits: { output_bytes: 20_000 }, ...admitted(0.1) });
    expect(workload.plan(payload).grainTasks).toBeLessThanOrEqual(grainTasksMax(payload));
    expect(grainTasksMax(payload)).toBe(3);
  });

  it("costs what the trial took", () => {
    const cost = workload.cost(parse(admitted(250)), 0, 8);
    expect(cost.operations / workload.opsPerCoreSecond).toBeCloseTo(2);
  });
});

describe("the outputs of own code", () => {
  const payload = parse({ inputs: { count: 3_000 }, tasks_per_grain: 1 });
  const row = (index: number): Uint8Array => packOutputs([new TextEncoder().encode(`${index}`)]);

  it("come in order, however they were joined", () => {
    const plan = workload.plan(payload);
    const pieces = Array.from({ length: grainsOf(plan) }, (_, grain) =>
      host.decode(payload, row(grainTasks(plan, grain)[0])),
    );
    const left = pieces.slice(0, 1_000).reduce((a, b) => host.merge(a, b));
    const right = pieces.slice(1_000).reduceRight((b, a) => host.merge(a, b));
    const { outputs, tasks } = host.finish(payload, host.merge(left, right));
    expect(tasks).toBe(3_000);
    expect(outputs).toEqual(Array.from({ length: 3_000 }, (_, index) => index));
    expect(itemsOf(host.merge(left, right), 5)).toHaveLength(5);
  });

  it("are read as they were asked for", () => {
    const bytes = packOutputs([new TextEncoder().encode("[1]"), new TextEncoder().encode("no")]);
    const read = (output: "json" | "text" | "binary") => {
      const asked = parse({ output });
      return host.finish(asked, host.decode(asked, bytes)).outputs;
    };
    expect(read("json")).toEqual([[1], { not_json: "no" }]);
    expect(read("text")).toEqual(["[1]", "no"]);
    expect(read("binary")).toEqual(["WzFd", "bm8="]);
  });

  it("are refused where one is longer than was declared, or the bytes are none", () => {
    const asked = parse({ limits: { output_bytes: 1 } });
    expect(() => host.decode(asked, packOutputs([new Uint8Array(2)]))).toThrow(/2 bytes/);
    expect(() => host.decode(asked, Uint8Array.of(9, 0, 1))).toThrow();
  });
});
