/** The coordinator's side: puts outputs in order and reads them as the submitter asked. */
import { defineHost } from "../../contract.ts";
import { itemsOf, joined, type Ordered, ordered } from "../../ordered.ts";
import { tasksOf, toBase64 } from "./inputs.ts";
import { groupSize, packOutputs, unpackOutputs } from "./outputs.ts";
import { type CustomPayload, limitsOf, outputOf, type Reading } from "./payload.ts";

export interface CustomResult {
  /** In the order of the inputs, or the one that they were merged into: parsed JSON, text, or base64. */
  outputs: unknown[];
  tasks: number;
  merged: boolean;
  output: Reading;
  /** SHA-256 of the module or shader that ran. */
  module: string | null;
}

/** Of what grains gave: each node of a merging round fetches all of it. */
const mergedBytesMax = 32 << 20;

/** Shown of a job that is under way. */
const previewRows = 24;
const previewCharsMax = 160;

const decoder = new TextDecoder();

function read(payload: CustomPayload, bytes: Uint8Array): unknown {
  const output = outputOf(payload);
  if (output === "binary") return toBase64(bytes);
  if (output === "u32" || output === "i32" || output === "f32") return numbersOf(bytes, output);
  const text = decoder.decode(bytes);
  if (output === "text") return text;
  try {
    return JSON.parse(text);
  } catch {
    // The code was tried with its first tasks; what it answers later is its own affair, and is told as it is.
    return { not_json: text };
  }
}

/** Words as numbers; one alone is itself. What no JSON can say, as infinity, is text. */
function numbersOf(bytes: Uint8Array, type: "u32" | "i32" | "f32"): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const at = { u32: view.getUint32, i32: view.getInt32, f32: view.getFloat32 }[type].bind(view);
  const numbers = Array.from({ length: bytes.length >> 2 }, (_, index) => {
    const number = at(4 * index, true);
    return Number.isFinite(number) ? number : String(number);
  });
  return numbers.length === 1 ? numbers[0] : numbers;
}

const shortened = (value: unknown): unknown => {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= previewCharsMax ? value : `${text.slice(0, previewCharsMax)}…`;
};

export default defineHost<CustomPayload, Ordered<Uint8Array>, CustomResult>({
  decode(payload, bytes) {
    const rows = unpackOutputs(bytes);
    const long = rows.find((row) => row.length > limitsOf(payload).outputBytes);
    if (long) throw new Error(`an output of ${long.length} bytes`);
    return ordered(rows);
  },
  merge: joined,
  next(payload, _round, outputs) {
    if (!payload.merge || outputs.count <= 1) return null;
    const input = packOutputs(itemsOf(outputs));
    if (input.length > mergedBytesMax) {
      throw new RangeError(
        `${outputs.count} outputs of ${input.length} bytes are too many to merge; at most ${mergedBytesMax}`,
      );
    }
    return { tasks: Math.ceil(outputs.count / groupSize), grainTasks: 1, input };
  },
  preview: (payload, outputs) => ({
    tasks_done: outputs.count,
    of: tasksOf(payload),
    first_outputs: itemsOf(outputs, previewRows).map((row) => shortened(read(payload, row))),
  }),
  finish: (payload, outputs) => ({
    outputs: itemsOf(outputs).map((row) => read(payload, row)),
    tasks: tasksOf(payload),
    merged: payload.merge ?? false,
    output: outputOf(payload),
    module: payload.admitted?.module ?? null,
  }),
});
