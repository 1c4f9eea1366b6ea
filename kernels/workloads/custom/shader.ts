/** How a researcher's own shader runs: by the bindings of every kernel, over each task's words. */
import type { Belief, GpuProgram } from "../../contract.ts";
import { grainTasksOf } from "./grains.ts";
import { inputOf } from "./inputs.ts";
import { packOutputs, unpackOutputs } from "./outputs.ts";
import { type CustomPayload, limitsOf, outputOf } from "./payload.ts";

/**
 * What every shader has beside its own text, after it, so that the lines of the author's are counted as they are.
 * Invocations of a grain are numbered from 0: `invocations_per_task` for each task.
 */
export const shaderLibrary = `
struct QueztlChunk { task_lo: u32, task_hi: u32, tasks: u32, first: u32, count: u32, width: u32, pad0: u32, pad1: u32 }
@group(0) @binding(2) var<uniform> queztl_chunk: QueztlChunk;
/** The invocation's number within its grain; those of which is_over() holds return at once. */
fn invocation(id: vec3u) -> u32 { return queztl_chunk.first + id.y * queztl_chunk.width + id.x; }
fn is_over(invocation: u32) -> bool { return invocation >= queztl_chunk.first + queztl_chunk.count; }
/** The number of the grain's first task: low and high 32 bits. */
fn first_task() -> vec2u { return vec2u(queztl_chunk.task_lo, queztl_chunk.task_hi); }
/** The number of the grain's task at a place, modulo 2^32. */
fn task_number(at: u32) -> u32 { return queztl_chunk.task_lo + at; }
`;

/** Of a shader that was not looked at: as the examples have it. */
const workgroupSizeDefault = 64;

export const shader: GpuProgram<CustomPayload> = {
  workgroupSize: ({ admitted }) => admitted?.shader?.workgroup_size ?? workgroupSizeDefault,

  params({ params, admitted }) {
    const numbers = Array.isArray(params) ? (params as number[]) : [];
    const type = admitted?.shader?.params ?? "f32";
    const words = { f32: Float32Array, u32: Uint32Array, i32: Int32Array }[type].from(numbers);
    return new Uint8Array(words.buffer);
  },

  // A grain has at most as many tasks as fit a partial.
  outputBytes: (payload) => grainTasksOf(payload) * limitsOf(payload).outputBytes,

  invocations: ({ invocations_per_task = 1 }, tasks) => tasks * invocations_per_task,

  inputs(payload, _round, lo, hi, slice) {
    if ("count" in payload.inputs) return null;
    const records = Array.from({ length: hi - lo }, (_, at) => inputOf(payload, lo + at, slice));
    const bytes = new Uint8Array(records.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const record of records) {
      bytes.set(record, at);
      at += record.length;
    }
    return bytes;
  },

  decode(payload, _round, lo, hi, output) {
    const { outputBytes } = limitsOf(payload);
    return packOutputs(
      Array.from({ length: hi - lo }, (_, task) => output.subarray(task * outputBytes, (task + 1) * outputBytes)),
    );
  },
};

/** GPUs round and contract differently, and integers may rest on floats: a difference is no proof of a lie. */
export function shaderBelief(payload: CustomPayload): Belief {
  const isFloat = outputOf(payload) === "f32";
  const tolerance = payload.tolerance ?? (isFloat ? 1e-4 : 0);
  const read = { f32: Float32Array, i32: Int32Array }[outputOf(payload) as "f32" | "i32"] ?? Uint32Array;
  const isNear = (a: number, b: number): boolean =>
    Object.is(a, b) || Math.abs(a - b) <= (isFloat ? tolerance * Math.max(Math.abs(a), Math.abs(b)) : tolerance);
  return {
    kind: "tolerance",
    certificate: "none",
    disagreement(a, b) {
      const rowsOf = (partial: Uint8Array): ArrayLike<number>[] =>
        unpackOutputs(partial).map((row) => new read(row.slice().buffer));
      const [mine, theirs] = [rowsOf(a), rowsOf(b)];
      if (mine.length !== theirs.length) return `${mine.length} and ${theirs.length} outputs`;
      for (const [task, row] of mine.entries()) {
        const other = theirs[task] as ArrayLike<number>;
        if (row.length !== other.length) return `output ${task} has ${row.length} and ${other.length} words`;
        for (let word = 0; word < row.length; word++)
          if (!isNear(row[word] as number, other[word] as number))
            return `output ${task} is ${row[word]} and ${other[word]} in word ${word}`;
      }
      return null;
    },
  };
}
