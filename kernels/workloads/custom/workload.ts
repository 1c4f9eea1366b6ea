/** The researcher's own code: a WebAssembly module that turns each task's input into its output. */
import { type Belief, defaultPlan, defineWorkload, type FileReader } from "../../contract.ts";
import { grainTasksOf, taskMsOf } from "./grains.ts";
import type { CustomResult } from "./host.ts";
import { inputOf, leasedBytesOf, tasksOf } from "./inputs.ts";
import { groupOf, packOutputs } from "./outputs.ts";
import { type CustomPayload, limitsOf, outputOf, payloadSchema } from "./payload.ts";
import { shader, shaderBelief } from "./shader.ts";

/** An operation is a microsecond of the coordinator's machine, where the code was tried. */
const operationsPerMs = 1_000;
/** Of a file's part that travels with a lease. */
const sliceBytes = 1 << 20;

/** What a shader may ask for. */
const shaderConsent = "custom_shaders";

const exact: Belief = {
  kind: "exact",
  certificate: "none",
  disagreement: (a, b) =>
    a.length === b.length && a.every((byte, at) => byte === b[at]) ? null : "the outputs are not the same bytes",
};

/** What tasks lo..hi are given of an uploaded file; null where there is none. */
async function partOfFile(
  { inputs, admitted }: CustomPayload,
  lo: number,
  hi: number,
  files: FileReader,
): Promise<Uint8Array | null> {
  if (!("blob" in inputs)) return null;
  if (!("format" in inputs)) {
    const { blob, record_bytes: bytes } = inputs;
    return files.read(blob, lo * bytes, Math.min(hi * bytes, admitted?.input_bytes ?? 0));
  }
  const offsets = await files.read(admitted?.input_lines?.offsets ?? "", 8 * lo, 8 * (hi + 1));
  const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.length);
  return files.read(inputs.blob, view.getFloat64(0, true), view.getFloat64(8 * (hi - lo), true));
}

export default defineWorkload<CustomPayload, { index: number }, CustomResult>({
  type: "custom",
  title: "Your own code",
  summary: "Runs your WebAssembly or AssemblyScript over a range, a list, lines of text or records.",
  family: {
    id: "custom",
    title: "Code of researchers",
    summary:
      "Programs that researchers wrote themselves, in WebAssembly: they see their inputs and nothing of your device, have a memory limit, and are ended when they take too long.",
    optIn: true,
  },
  consents: [
    {
      id: shaderConsent,
      title: "Shaders of researchers",
      summary:
        "Programs that researchers wrote for your graphics processor. Browsers keep them from your data, but one that hangs can freeze your screen for some seconds until the driver is reset. An own machine of the grid's operator ran each of them before. Works only with “Code of researchers” on, and is switched off when the graphics processor is lost.",
      optIn: true,
    },
  ],
  examples: [
    {
      title: "Collatz steps of the first thousand numbers",
      payload: {
        language: "assemblyscript",
        code: [
          'import { index, answer } from "./queztl";',
          "",
          "export function run(at: usize, length: i32): u64 {",
          "  let n = index(at) + 1;",
          "  let steps = 0;",
          "  for (; n != 1; steps++) n = n % 2 == 0 ? n / 2 : 3 * n + 1;",
          "  return answer(steps.toString());",
          "}",
          "",
        ].join("\n"),
        inputs: { count: 1_000 },
      },
    },
    {
      title: "Letters of some words",
      payload: {
        language: "assemblyscript",
        code: [
          'import { text, answer } from "./queztl";',
          "",
          "export function run(at: usize, length: i32): u64 {",
          "  return answer(text(at, length).length.toString());",
          "}",
          "",
        ].join("\n"),
        inputs: { lines: "grid\nvolunteer\nquetzal\n" },
      },
    },
  ],
  payload: payloadSchema,
  plan: (payload) => ({
    tasks: tasksOf(payload),
    grainTasks: grainTasksOf(payload),
    needs:
      payload.language === "wgsl"
        ? { backends: ["webgpu"], memoryBytes: 0, engines: [], consents: [shaderConsent], triedFirst: true }
        : { backends: ["wasm"], memoryBytes: limitsOf(payload).memoryMb * 2 ** 20, engines: [] },
    output: "reduce",
  }),
  task: (_payload, _round, index) => ({ index }),
  cost: (payload, lo, hi) => ({ operations: (hi - lo) * taskMsOf(payload) * operationsPerMs, bytes: 0 }),
  opsPerCoreSecond: 1_000 * operationsPerMs,
  belief: (payload) => (payload.language === "wgsl" ? shaderBelief(payload) : exact),
  beliefPlan: defaultPlan,
  gpu: shader,
  params: ({ params }) => new TextEncoder().encode(params === undefined ? "" : JSON.stringify(params)),
  calibration: payloadSchema.parse({
    language: "wasm",
    module: "",
    inputs: { count: 8 },
    tasks_per_grain: 8,
  }),
  /** Of a file: what a lease carries stays below a mebibyte, or is one grain's. */
  sliceGrainsMax(payload) {
    const bytes = leasedBytesOf(payload);
    if (bytes === null) return Number.POSITIVE_INFINITY;
    return Math.max(1, Math.floor(sliceBytes / (grainTasksOf(payload) * bytes)));
  },
  // Later rounds merge what the first gave.
  inputs: (payload, round, lo, hi, files) => (round > 0 ? null : partOfFile(payload, lo, hi, files)),
  tasks: {
    input: inputOf,
    merges: ({ merge }) => merge ?? false,
    group: (_payload, input, index) => groupOf(input, index),
    pack: (_payload, outputs) => packOutputs(outputs),
    outputBytesMax: (payload) => limitsOf(payload).outputBytes,
    taskMsMax: (payload) => limitsOf(payload).taskSeconds * 1_000,
    seed: ({ seed }) => seed ?? 0,
  },
  describe: (payload, partial) => `${partial.length} bytes of ${outputOf(payload)} for a researcher's own program`,
});
