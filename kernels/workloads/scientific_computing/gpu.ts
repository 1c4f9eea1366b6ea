/** How the shader is cut: an invocation computes 8 x 8 entries of a tile, so a tile takes 64; a system takes many passes. */
import type { GpuProgram } from "../../contract.ts";
import { encodeTile, paramsOf } from "./layout.ts";
import { firstParams, MixedSystem, passesOf, scratchBytesOf } from "./mixed.ts";
import { isMixed, type SciencePayload, sizesOf, TILE, tileAt } from "./payload.ts";

const BLOCK = 8;
const tileInvocations = (TILE / BLOCK) ** 2;

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

export const gpu: GpuProgram<SciencePayload> = {
  workgroupSize: () => 64,
  params: (payload) => (isMixed(payload) ? firstParams(payload) : paramsOf(payload)),
  outputBytes: () => TILE * TILE * 4,
  invocations: (payload, tasks) => (isMixed(payload) ? tasks * total(passesOf(payload, 0)) : tasks * tileInvocations),
  passes: (payload, _round, lo, hi, turn) =>
    isMixed(payload) ? passesOf(payload, turn) : [(hi - lo) * tileInvocations],
  scratchBytes: (payload) => (isMixed(payload) ? scratchBytesOf(payload) : 0),
  session: (payload, lo) => (isMixed(payload) ? new MixedSystem(payload, lo) : null),
  decode(payload, _round, lo, _hi, output) {
    if (payload.problem !== "matmul") throw new Error("systems are solved in sessions");
    const { height, width } = tileAt(sizesOf(payload), lo);
    const whole = new Float32Array(output.slice().buffer);
    const entries = new Float32Array(height * width);
    for (let i = 0; i < height; i++) entries.set(whole.subarray(i * TILE, i * TILE + width), i * width);
    return encodeTile({ tile: lo, height, width, entries });
  },
};
