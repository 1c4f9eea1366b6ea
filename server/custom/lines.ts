/** Where the lines of an uploaded file begin, so that each lease can be sent its own. */
import { inputBytesMax } from "../../kernels/workloads/custom/inputs.ts";

export const linesMax = 1 << 22;
const newline = 10;

export interface Lines {
  count: number;
  /** Bytes of the longest, without its break. */
  longest: number;
  /** Of each line's first byte, and behind them of the end. */
  offsets: Float64Array;
}

/** A last line without anything in it is none. Answers what is wrong with the file where it cannot be used. */
export async function indexLines(source: AsyncIterable<Uint8Array>): Promise<Lines | string> {
  let offsets = new Float64Array(1_024);
  let count = 0;
  let longest = 0;
  let begin = 0;
  let at = 0;
  const end = (stop: number, next: number): string | null => {
    if (count >= linesMax) return `It has more than ${linesMax} lines.`;
    if (stop - begin > inputBytesMax) return `Line ${count + 1} has more than ${inputBytesMax} bytes.`;
    longest = Math.max(longest, stop - begin);
    if (count + 2 > offsets.length) {
      const larger = new Float64Array(2 * offsets.length);
      larger.set(offsets);
      offsets = larger;
    }
    offsets[++count] = next;
    begin = next;
    return null;
  };
  for await (const piece of source) {
    for (let found = piece.indexOf(newline); found >= 0; found = piece.indexOf(newline, found + 1)) {
      const fault = end(at + found, at + found + 1);
      if (fault !== null) return fault;
    }
    at += piece.length;
    // An endless line is not read to its end.
    if (at - begin > inputBytesMax) return `Line ${count + 1} has more than ${inputBytesMax} bytes.`;
  }
  const fault = begin < at ? end(at, at) : null;
  if (fault !== null) return fault;
  return count === 0 ? "The file has no lines." : { count, longest, offsets };
}

/** Without what is cut off at the end; the only line stays as it is. */
export function wholeLines(bytes: Uint8Array): Uint8Array {
  const last = bytes.lastIndexOf(newline);
  return last < 0 ? bytes : bytes.subarray(0, last + 1);
}
