/**
 * Every workload's shader, in Chromium and on Dawn, against the vectors that WASM is held to: bit for bit where
 * the arithmetic is exact, else within the declared tolerance. Software adapters happen to agree on floats and real
 * ones do not, so fused and reassociated readings of the shaders run as if they were other GPUs.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Case, loadSubjects, readKernel, runOf, type Subject } from "./conformance/cases.ts";
import type { Variant } from "./conformance/foreign.ts";
import type { GpuOutcome, GpuReport } from "./conformance/gpu-requests.ts";
import { chromiumPlace, dawnPlace, type GpuPlace } from "./conformance/places.ts";
import { grainsOf } from "./contract.ts";

/** Of a workload without a shader of its own there is nothing to compare. */
const subjects = (await loadSubjects()).filter(({ files }) => files.wgsl !== undefined);
/** The software adapters take this long for what a GPU does in a blink. */
const testMs = 120_000;

const suits = ({ workload }: Subject, one: Case): boolean =>
  workload.plan(one.payload).needs.backends.includes("webgpu");
const shaderOf = (subject: Subject): string => new TextDecoder().decode(readKernel(subject.files, "wgsl"));

describe.each([
  ["Chromium", chromiumPlace],
  ["Dawn", dawnPlace],
] as const)("%s", (name, open) => {
  let place: GpuPlace | null = null;
  let why = "";

  beforeAll(async () => {
    try {
      place = await open();
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
      // What cannot even be bundled is no matter of the machine.
      if (why.startsWith("Build failed")) throw error;
      console.warn(`${name} is left out: ${why}`);
    }
  }, testMs);
  afterAll(async () => place?.close());

  const on = async (
    shader: string,
    subject: Subject,
    cases: readonly Case[],
    { abortAfterMs = null, budgets }: { abortAfterMs?: number | null; budgets?: number[] } = {},
  ) => {
    const runs = cases.map((one) => ({
      ...runOf(subject, one),
      files: { wgsl: { sha256: "shader", bytes: shader.length } },
    }));
    return outcomesOf(
      await (place as GpuPlace).run({ shaders: { shader }, runs, abortAfterMs, ...(budgets && { budgets }) }),
    );
  };

  describe.each(subjects.map((subject) => [subject.workload.type, subject] as const))("%s", (_type, subject) => {
    const cases = subject.cases.filter((one) => suits(subject, one));

    it(
      "agrees with the vectors",
      async (context) => {
        if (!place) return context.skip(why);
        const partials = partialsOf(await on(shaderOf(subject), subject, cases));
        for (const [index, one] of cases.entries()) agree(subject, one, partials[index] as Uint8Array);
      },
      testMs,
    );

    for (const variant of subject.variants) {
      it(
        `agrees with them as a GPU that is ${variant.name}, whose bits differ`,
        async (context) => {
          if (!place) return context.skip(why);
          await checkVariant(subject, variant, cases, async (shader) => partialsOf(await on(shader, subject, cases)));
        },
        testMs,
      );
    }

    it(
      "computes the same in command buffers of odd sizes as in one",
      async (context) => {
        if (!place) return context.skip(why);
        const one = mostCut(subject, cases);
        const invocations = invocationsOf(subject, one);
        const budgets = [invocations, Math.ceil(invocations / 2) | 1, Math.ceil(invocations / 5) | 1];
        const outcomes = await on(shaderOf(subject), subject, [one, one, one], { budgets });
        // What a node claims, as its time, is its own.
        const { claimedBytes = 0 } = subject.workload.belief(one.payload, "webgpu", "webgpu");
        const [whole, ...cut] = partialsOf(outcomes).map((partial) => partial.subarray(claimedBytes));
        expect(cut).toEqual([whole, whole]);
        if (!subject.workload.gpu?.passes)
          expect(outcomes).toMatchObject(budgets.map((budget) => ({ dispatches: Math.ceil(invocations / budget) })));
        expect(outcomes.at(-1)).not.toMatchObject({ dispatches: 1 });
      },
      testMs,
    );

    it(
      "computes a batch of grains as it does one by one",
      async (context) => {
        if (!place) return context.skip(why);
        const first =
          cases.find((one) => one.grain === 0 && grainsOf(subject.workload.plan(one.payload)) >= 3) ?? cases[0];
        if (!first) throw new Error("no case for a GPU");
        const grains = Math.min(3, grainsOf(subject.workload.plan(first.payload)));
        const shader = shaderOf(subject);
        const files = { wgsl: { sha256: "shader", bytes: shader.length } };
        const batch = { ...runOf(subject, first, grains), files };
        const single = Array.from({ length: grains }, (_, grain) => ({
          ...runOf(subject, { ...first, grain }),
          files,
        }));
        const report = await place.run({ shaders: { shader }, runs: [batch, ...single], abortAfterMs: null });
        const [together, ...alone] = outcomesOf(report);
        const { claimedBytes = 0 } = subject.workload.belief(first.payload, "webgpu", "webgpu");
        const own = (partials: readonly Uint8Array[]) => partials.map((partial) => partial.subarray(claimedBytes));
        expect(own((together as { partials: Uint8Array[] }).partials)).toEqual(own(partialsOf(alone)));
      },
      testMs,
    );
  });

  it(
    "says where a shader does not compile",
    async (context) => {
      if (!place) return context.skip(why);
      const subject = subjects[0] as Subject;
      const [outcome] = await on(
        "@compute @workgroup_size(64)\nfn main() { nonsense }",
        subject,
        subject.cases.slice(0, 1),
      );
      expect(outcome).toMatchObject({ ok: false, reason: "kernel_unavailable" });
      expect((outcome as { message: string }).message).toMatch(/line 2, column \d+/);
    },
    testMs,
  );

  it(
    "stops within a second of an abort",
    async (context) => {
      if (!place) return context.skip(why);
      const [outcome] = await on(shaderOf(longSubject()), longSubject(), [longCase()], { abortAfterMs: 2_500 });
      expect(outcome).toMatchObject({ ok: false, reason: "AbortError" });
      expect((outcome as { afterMs: number }).afterMs).toBeLessThan(1_000);
    },
    testMs,
  );

  it(
    "tells a lost device from a failed grain",
    async (context) => {
      if (!place?.crash) return context.skip(place ? "this place cannot lose its GPU on demand" : why);
      const running = on(shaderOf(longSubject()), longSubject(), [longCase()], { abortAfterMs: 60_000 });
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      await place.crash();
      expect((await running)[0]).toMatchObject({ ok: false, reason: "device_lost" });
    },
    testMs,
  );
});

const invocationsOf = ({ workload }: Subject, { payload, lo, hi }: Case): number =>
  workload.gpu?.invocations(payload, hi - lo) ?? 0;

function mostCut(subject: Subject, cases: readonly Case[]): Case {
  const [most] = [...cases].sort((a, b) => invocationsOf(subject, b) - invocationsOf(subject, a));
  if (!most) throw new Error(`no case of ${subject.workload.type} is for a GPU`);
  return most;
}

function outcomesOf(report: GpuReport): GpuOutcome[] {
  if (!report.ok) throw new Error(report.message);
  return report.outcomes;
}

function partialsOf(outcomes: readonly GpuOutcome[]): Uint8Array[] {
  return outcomes.map((outcome) => {
    if (!outcome.ok) throw new Error(`${outcome.reason}: ${outcome.message}`);
    expect(outcome.dispatches).toBeGreaterThan(0);
    return outcome.partials[0] as Uint8Array;
  });
}

function agree({ workload }: Subject, one: Case, partial: Uint8Array): void {
  const belief = workload.belief(one.payload, "webgpu", "wasm");
  expect(belief.disagreement(partial, one.expected), `${one.name}, grain ${one.grain}`).toBeNull();
  if (belief.kind === "exact") expect(partial).toEqual(one.expected);
}

/** Within tolerance everywhere, and other bits somewhere: else the variant is no other GPU, and shows nothing. */
async function checkVariant(
  subject: Subject,
  variant: Variant,
  cases: readonly Case[],
  run: (shader: string) => Promise<Uint8Array[]>,
): Promise<void> {
  const plain = await run(shaderOf(subject));
  const partials = await run(variant.transform(shaderOf(subject)));
  let differing = 0;
  for (const [index, one] of cases.entries()) {
    const partial = partials[index] as Uint8Array;
    agree(subject, one, partial);
    const differs = Buffer.compare(partial, plain[index] as Uint8Array) !== 0;
    if (!variant.mayDiffer(one.payload)) expect(differs, one.name).toBe(false);
    if (differs) differing++;
  }
  expect(differing).toBeGreaterThan(0);
}

/** Some minutes of a software adapter. */
function longSubject(): Subject {
  return subjects.find((subject) => subject.workload.type === "monte_carlo") as Subject;
}
function longCase(): Case {
  const { workload } = longSubject();
  const payload = workload.payload.parse({ iterations: 2 ** 34 });
  return { name: "long", payload, grain: 0, lo: 0, hi: workload.plan(payload).grainTasks, expected: new Uint8Array(0) };
}
