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
        const claimed = workload.belief(one.payload, "wasm", "wasm").claimedBytes ?? 0;
        expect(partial.slice(claimed)).toEqual((await partialOf(subject, !simd, one)).slice(claimed));
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
      // Where GPUs alone compute, last digits differ between honest ones.
      if (belief.kind !== "exact") continue;
      for (const [at, forged] of changedBytes(one.expected).entries()) {
        if (at < (belief.claimedBytes ?? 0)) continue;
        expect(
          disagrees(() => belief.disagreement(one.expected, forged)),
          `${one.name}: byte ${at}`,
        ).toBe(true);
      }
    }
  });

  const certificateOf = (one: Case) => workload.belief(one.payload, "wasm", "wasm").certificate;
  const certified = cases.filter((one) => certificateOf(one) !== "none");
  it.skipIf(certified.length === 0)("refuses by its certificate what was changed after the computation", () => {
    for (const one of certified) {
      const refused = changedBytes(one.expected).filter((forged) => !isCertified(subject, one, forged)).length;
      // Evidence recomputes a part of a partial, a complete certificate all of it.
      const isExact = workload.belief(one.payload, "wasm", "wasm").kind === "exact";
      if (certificateOf(one) === "complete" && isExact) expect(refused, one.name).toBe(one.expected.length);
      else expect(refused, one.name).toBeGreaterThan(0);
    }
  });

  const onGpu = cases.filter((one) => workload.plan(one.payload).needs.backends.includes("webgpu"));
  it.skipIf(onGpu.length === 0)("finds a false number between a GPU and WASM too", () => {
    for (const one of onGpu) {
      const belief = workload.belief(one.payload, "webgpu", "wasm");
      expect(belief.disagreement(one.expected, one.expected.slice())).toBeNull();
      const forged = one.expected.slice();
      // The first number of a partial is a count, low byte first: one more is a lie, whatever floats were rounded.
      const first = belief.claimedBytes ?? 0;
      forged[first] = ((forged[first] as number) + 1) % 256;
      expect(
        disagrees(() => belief.disagreement(one.expected, forged)),
        one.name,
      ).toBe(true);
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

/** Copies of a partial, each with one byte changed. */
const changedBytes = (partial: Uint8Array): Uint8Array[] =>
  Array.from(partial, (byte, at) => {
    const changed = partial.slice();
    changed[at] = byte ^ 1;
    return changed;
  });

/** Bytes that are no partial at all are refused by an exception. */
function disagrees(compare: () => string | null): boolean {
  try {
    return compare() !== null;
  } catch {
    return true;
  }
}

function isCertified({ host }: Subject, one: Case, partial: Uint8Array): boolean {
  return !disagrees(() => {
    const decoded = host.decode(one.payload, partial);
    return host.check ? host.check(one.payload, 0, one.lo, one.hi, decoded) : "no certificate is written";
  });
}
