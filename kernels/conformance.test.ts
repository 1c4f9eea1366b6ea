/** Every workload on every WASM build against its vectors, and the laws that its host side must keep. */
import { describe, expect, it } from "vitest";
import { limits } from "../protocol/limits.ts";
import { type Case, loadSubjects, readKernel, runOf, type Subject } from "./conformance/cases.ts";
import { grainsOf } from "./contract.ts";
import { calibrationRun, runWasmGrains } from "./run/grains.ts";
import { WasmRunner } from "./run/wasm.ts";

const subjects = await loadSubjects();
const signal = new AbortController().signal;

const runnerOf = (subject: Subject, simd: boolean): WasmRunner =>
  new WasmRunner(async () => readKernel(subject.files, simd ? "wasm-simd" : "wasm-scalar"), { simd });

async function partialOf(subject: Subject, simd: boolean, { payload, lo, hi }: Case): Promise<Uint8Array> {
  const { workload, files } = subject;
  const grain = { workload, files, payload, round: 0, input: null, inputs: null, lo, hi };
  return (await runnerOf(subject, simd).run(grain, signal)).partial;
}

describe.each(subjects.map((subject) => [subject.workload.type, subject] as const))("%s", (_type, subject) => {
  const { workload, host, cases } = subject;

  it("has vectors", () => {
    expect(cases.length).toBeGreaterThan(0);
  });

  for (const simd of [true, false]) {
    it.each(cases.map((one) => [`${one.name}, grain ${one.grain}`, one] as const))(
      `${simd ? "wasm-simd" : "wasm-scalar"}: %s`,
      async (_name, one) => {
        const partial = await partialOf(subject, simd, one);
        // Whatever was computed elsewhere must be believed; both builds must moreover agree to the bit.
        expect(workload.belief(one.payload, "wasm", "wasm").disagreement(partial, one.expected)).toBeNull();
        expect(partial.length).toBeLessThanOrEqual(limits.partialBytesMax);
        expect(partial).toEqual(await partialOf(subject, !simd, one));
      },
    );
  }

  it("merges a range the same wherever it is cut", async () => {
    for (const one of cases.filter((candidate) => candidate.hi - candidate.lo >= 2).slice(0, 4)) {
      const whole = host.decode(one.payload, await partialOf(subject, true, one));
      const cut = one.lo + Math.ceil((one.hi - one.lo) / 3);
      const left = host.decode(one.payload, await partialOf(subject, true, { ...one, hi: cut }));
      const right = host.decode(one.payload, await partialOf(subject, true, { ...one, lo: cut }));
      expect(host.merge(left, right)).toEqual(whole);
    }
  });

  it("accepts honest partials, and finds every changed byte", () => {
    for (const one of cases) {
      const belief = workload.belief(one.payload, "wasm", "wasm");
      expect(belief.disagreement(one.expected, one.expected.slice())).toBeNull();
      expect(host.check?.(one.payload, 0, one.lo, one.hi, host.decode(one.payload, one.expected)) ?? null).toBeNull();
      for (let at = 0; at < one.expected.length; at++) {
        const forged = one.expected.slice();
        forged[at] = (forged[at] as number) ^ 1;
        expect(isRefused(subject, one, forged), `${one.name}: byte ${at}`).toBe(true);
      }
    }
  });

  it("plans what it costs, within the limits of a job", () => {
    for (const payload of [
      ...workload.examples.map((example) => workload.payload.parse(example.payload)),
      workload.calibration,
    ]) {
      const plan = workload.plan(payload);
      expect(grainsOf(plan)).toBeGreaterThan(0);
      expect(grainsOf(plan)).toBeLessThanOrEqual(limits.jobGrainsMax);
      const half = Math.ceil(plan.tasks / 2);
      const whole = workload.cost(payload, 0, plan.tasks).operations;
      const parts = workload.cost(payload, 0, half).operations + workload.cost(payload, half, plan.tasks).operations;
      expect(parts).toBeCloseTo(whole, -Math.log10(whole) + 9);
    }
  });

  it("calibrates", async () => {
    const run = calibrationRun(workload.type, subject.files);
    const answer = await runWasmGrains(runnerOf(subject, true), run, signal, () => {});
    expect(answer.partials).toHaveLength(1);
  });

  it("computes several grains in one run as it does one by one", async () => {
    const one = cases.find((candidate) => grainsOf(workload.plan(candidate.payload)) >= 3 && candidate.grain === 0);
    if (!one) return;
    const runner = runnerOf(subject, true);
    const together = await runWasmGrains(runner, runOf(subject, one, 3), signal, () => {});
    for (let grain = 0; grain < 3; grain++) {
      const alone = await runWasmGrains(runner, runOf(subject, { ...one, grain }), signal, () => {});
      expect(together.partials[grain]).toEqual(alone.partials[0]);
    }
  });
});

/** By a comparison with a replay, which every workload has, whatever its certificate finds. */
function isRefused({ workload }: Subject, one: Case, forged: Uint8Array): boolean {
  try {
    return workload.belief(one.payload, "wasm", "wasm").disagreement(one.expected, forged) !== null;
  } catch {
    return true;
  }
}
