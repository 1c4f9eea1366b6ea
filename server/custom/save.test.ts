/** Long tasks of researchers' programs, saved under way and taken up elsewhere: the same outputs as in one go. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openTasks, type TaskInstance } from "../../kernels/run/task-instance.ts";
import { tasksOf } from "../../kernels/workloads/custom/inputs.ts";
import { unpackOutputs } from "../../kernels/workloads/custom/outputs.ts";
import { payloadSchema } from "../../kernels/workloads/custom/payload.ts";
import workload from "../../kernels/workloads/custom/workload.ts";
import { compile } from "./compile.ts";

const library = readFileSync(new URL("../../kernels/assembly/queztl.ts", import.meta.url), "utf8");

/** Sums random numbers, thousands a step; its state is where it is and what it has. */
const code = `import { index, answer, random, progress } from "./queztl";
let at = 0, sum = 0.0, number: i64 = 0;
export function begin(place: usize, length: i32): void { at = 0; sum = 0.0; number = index(place); }
export function step(budgetMs: i32): i32 {
  for (let i = 0; i < 1000 && at < 20000; i++, at++) sum += random();
  progress(at / 20000.0);
  return at == 20000 ? 1 : 0;
}
export function output(): u64 { return answer((<f64>number + sum).toString()); }
const room = new StaticArray<u8>(12);
export function save(): u64 {
  const place = changetype<usize>(room);
  store<i32>(place, at);
  store<f64>(place, sum, 4);
  return ((<u64>12) << 32) | place;
}
export function load(place: usize, length: i32): void {
  if (length != 12) unreachable();
  at = load<i32>(place);
  sum = load<f64>(place, 4);
}
`.replaceAll("load<", "load_<");

const source = code.replaceAll("load_<", "load<").replace("export function load(", "export function load_(");

describe("saved tasks", async () => {
  // AssemblyScript's own load<T> is a builtin of that name: the export is renamed.
  const made = await compile(`${source}export { load_ as load };\n`, library);
  if ("fault" in made) throw new Error(made.fault.errors.join("\n"));
  const payload = payloadSchema.parse({ language: "wasm", module: "", inputs: { count: 3 }, seed: 7 });
  const open = (): TaskInstance => {
    const instance = openTasks(made.wasm, workload as never, payload);
    instance.begin(0, tasksOf(payload));
    return instance;
  };
  const finish = (instance: TaskInstance): string[] => {
    while (!instance.step().done);
    return unpackOutputs(instance.partial()).map((row) => new TextDecoder().decode(row));
  };
  const whole = finish(open());

  it("end as if nothing had happened, wherever they were saved", () => {
    expect(new Set(whole).size).toBe(3);
    const saves: Uint8Array[] = [];
    const running = open();
    // As a slow machine would: a few thousand numbers at a time.
    while (!slowly(running)) saves.push(running.save() as Uint8Array);
    expect(saves.length).toBeGreaterThan(5);
    for (const saved of saves) {
      const other = open();
      other.load(saved);
      expect(finish(other)).toEqual(whole);
    }
  });

  it("refuse a state that is none of theirs", () => {
    const saved = open();
    slowly(saved);
    const bytes = saved.save() as Uint8Array;
    for (const wrong of [new Uint8Array(0), bytes.subarray(0, bytes.length - 4), Uint8Array.of(0x96, 1, 2, 3, 4, 5, 6)])
      expect(() => open().load(wrong)).toThrow(/checkpoint is none/);
    const elsewhere = openTasks(made.wasm, workload as never, payload);
    elsewhere.begin(2, 3);
    expect(() => elsewhere.load(bytes)).toThrow(/of another grain/);
  });
});

/** One call of the module's step: the clock stands beyond the turn's budget afterwards. */
function slowly(instance: TaskInstance): boolean {
  const { now } = performance;
  let ms = 0;
  performance.now = () => {
    ms += 31;
    return ms;
  };
  try {
    return instance.step().done;
  } finally {
    performance.now = now;
  }
}
