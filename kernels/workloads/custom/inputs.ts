/** What each task of a job of own code is given: its number, a value, a line, a record. */
import * as z from "zod";
import type { TaskInputs } from "../../contract.ts";

const textMax = 12 << 20;
/** Of one task. */
export const inputBytesMax = 1 << 20;

const blob = z.string().regex(/^[0-9a-f]{64}$/, "the name that an upload was given");
const recordBytes = z.number().int().min(1).max(inputBytesMax);

export const inputsSchema = z.union(
  [
    z.strictObject({
      count: z
        .number()
        .int()
        .min(1)
        .max(2 ** 40)
        .describe("Tasks 0..count-1: the input is the number, as 8 bytes."),
    }),
    z.strictObject({
      values: z
        .array(z.unknown())
        .min(1)
        .max(1 << 20)
        .describe("A task for each value: the input is its JSON."),
    }),
    z.strictObject({
      lines: z
        .string()
        .min(1)
        .max(textMax)
        .describe("A task for each line: the input is its UTF-8, without the break."),
    }),
    z.strictObject({
      base64: z.base64().min(1).max(textMax).describe("Records one after the other; a task for each."),
      record_bytes: recordBytes,
    }),
    z.strictObject({
      blob,
      format: z.literal("lines").describe("An uploaded file of lines, as JSONL; a task for each."),
    }),
    z.strictObject({
      blob,
      record_bytes: recordBytes.describe("An uploaded file of records; a task for each."),
    }),
  ],
  'one of {count}, {values}, {lines}, {base64, record_bytes}, {blob, record_bytes} and {blob, format: "lines"}',
);

export type Inputs = z.infer<typeof inputsSchema>;

/** What the coordinator found of an uploaded file. */
interface FoundInputs {
  input_bytes?: number | undefined;
  input_lines?: { count: number; longest: number } | undefined;
}

export function tasksOf({ inputs, admitted }: { inputs: Inputs; admitted?: FoundInputs | undefined }): number {
  if ("count" in inputs) return inputs.count;
  // Of a file that was not looked at yet one record is known of.
  if ("format" in inputs) return admitted?.input_lines?.count ?? 1;
  if ("blob" in inputs) return Math.max(1, Math.floor((admitted?.input_bytes ?? 0) / inputs.record_bytes));
  if ("values" in inputs) return inputs.values.length;
  if ("lines" in inputs) return linesOf(inputs.lines).length;
  return Math.max(1, Math.floor(bytesOfBase64(inputs.base64) / inputs.record_bytes));
}

/** What a task's input may take of a lease; null where none travels with it. */
export function leasedBytesOf({
  inputs,
  admitted,
}: {
  inputs: Inputs;
  admitted?: FoundInputs | undefined;
}): number | null {
  if (!("blob" in inputs)) return null;
  return "format" in inputs ? (admitted?.input_lines?.longest ?? 0) + 2 : inputs.record_bytes;
}

export const bytesOfBase64 = (text: string): number =>
  (text.length / 4) * 3 - (text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0);

/** A last line without anything in it is none. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** What is split or decoded once for each payload, and not for each task. */
const prepared = new WeakMap<object, string[] | Uint8Array>();

function preparedOf<T extends string[] | Uint8Array>(inputs: object, make: () => T): T {
  let found = prepared.get(inputs) as T | undefined;
  if (!found) {
    found = make();
    prepared.set(inputs, found);
  }
  return found;
}

const encoder = new TextEncoder();

/** The bytes that the module's `run` is given for a task. Those of a file come with the lease. */
export function inputOf({ inputs }: { inputs: Inputs }, index: number, slice?: TaskInputs | null): Uint8Array {
  if ("blob" in inputs) {
    if (!slice) throw new RangeError("the lease came without its part of the file");
    if ("format" in inputs) return lineOf(slice, index);
    const at = (index - slice.first) * inputs.record_bytes;
    return slice.bytes.subarray(at, at + inputs.record_bytes);
  }
  if ("count" in inputs) {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(index), true);
    return bytes;
  }
  if ("values" in inputs) return encoder.encode(JSON.stringify(inputs.values[index]) ?? "null");
  if ("lines" in inputs) return encoder.encode(preparedOf(inputs, () => linesOf(inputs.lines))[index] ?? "");
  const { base64, record_bytes } = inputs;
  const all = preparedOf(inputs, () => fromBase64(base64));
  return all.subarray(index * record_bytes, (index + 1) * record_bytes);
}

/** Where the lines of a slice end, found once for all of its tasks. */
const ends = new WeakMap<Uint8Array, number[]>();

function lineOf({ bytes, first }: TaskInputs, index: number): Uint8Array {
  let found = ends.get(bytes);
  if (!found) {
    found = [];
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) found.push(at);
    // The file's last line may have no break.
    if (bytes.length > 0 && bytes.at(-1) !== 10) found.push(bytes.length);
    ends.set(bytes, found);
  }
  const line = index - first;
  const end = found[line];
  if (end === undefined) throw new RangeError(`the lease came with ${found.length} lines`);
  const begin = line === 0 ? 0 : (found[line - 1] as number) + 1;
  return bytes.subarray(begin, bytes[end - 1] === 13 && end > begin ? end - 1 : end);
}

export const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8_192) text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  return btoa(text);
}
