/** How the shader is cut: an invocation computes 8 x 8 entries of a tile, so a tile takes 64. */
import type { GpuProgram } from "../../contract.ts";
import { encodeTile, paramsOf } from "./layout.ts";
import { type SciencePayload, sizesOf, TILE, tileAt } from "./payload.ts";

const BLOCK = 8;

export const gpu: GpuProgram<SciencePayload> = {
  workgroupSize: () => 64,
  params: paramsOf,
  outputBytes: () => TILE * TILE * 4,
  invocations: (_payload, tasks) => tasks * (TILE / BLOCK) ** 2,
  decode(payload, _round, lo, _hi, output) {
    if (payload.problem !== "matmul") throw new Error("only products run on a GPU");
    const { height, width } = tileAt(sizesOf(payload), lo);
    const whole = new Float32Array(output.slice().buffer);
    const entries = new Float32Array(height * width);
    for (let i = 0; i < height; i++) entries.set(whole.subarray(i * TILE, i * TILE + width), i * width);
    return encodeTile({ tile: lo, height, width, entries });
  },
};
