/** For tests: a whole pipeline on the built kernels, as the grid runs it: rounds, tiles, windows, tables. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { grainsOf } from "../../contract.ts";
import { itemsOf } from "../../ordered.ts";
import type { GrainRun } from "../../run/grains.ts";
import { WasmRunner } from "../../run/wasm.ts";
import host, { assembled } from "./host.ts";
import { partsOf } from "./parts.ts";
import type { ImagePayload, Operation } from "./payload.ts";
import { programOf } from "./program.ts";
import workload from "./workload.ts";

const built = fileURLToPath(new URL("../../../dist/kernels/", import.meta.url));
const manifest = JSON.parse(readFileSync(`${built}manifest.json`, "utf8"));
const load = async (sha256: string) => new Uint8Array(readFileSync(`${built}${sha256}.wasm`));

export interface Picture {
  width: number;
  height: number;
  channels: number;
  pixels: Uint8Array;
}

/** An uploaded RGB picture, as the coordinator would have admitted it. */
export function payloadOf(picture: Picture, operations: Operation[], tile?: 16 | 32 | 64 | 128): ImagePayload {
  const admitted = { width: picture.width, height: picture.height, pixels: "given", before: "", before_bytes: 0 };
  const image = { blob: "0".repeat(64) };
  return workload.payload.parse({ image, operations, admitted, ...(tile ? { tile } : {}) });
}

/** Several uploaded ones, in one job. */
export function payloadOfEach(pictures: readonly Picture[], operations: Operation[]): ImagePayload {
  const admitted_each = pictures.map(({ width, height }, at) => ({
    ...{ width, height, pixels: `given ${at}`, before: "", before_bytes: 0 },
  }));
  const image = { blobs: pictures.map(() => "0".repeat(64)) };
  return workload.payload.parse({ image, operations, admitted_each });
}

/** Partials of the tiles of a round, in order. */
export type ComputeTiles = (tiles: readonly GrainRun[]) => Promise<Uint8Array[]>;

export function onWasm(simd = true): ComputeTiles {
  const runner = new WasmRunner(load, { simd });
  const never = new AbortController().signal;
  return async (tiles) => {
    const partials: Uint8Array[] = [];
    for (const tile of tiles) {
      const grain = { ...tile, files: manifest.image_processing.files, workload: workload as never };
      partials.push((await runner.run(grain, never)).partial);
    }
    return partials;
  };
}

/** The pixels before encoding. */
export async function process(
  payload: ImagePayload,
  picture: Picture | null,
  compute: ComputeTiles = onWasm(),
): Promise<Picture> {
  return (await processEach(payload, picture ? [picture] : [], compute))[0] as Picture;
}

/** Of each image. */
export async function processEach(
  payload: ImagePayload,
  pictures: readonly Picture[],
  compute: ComputeTiles = onWasm(),
): Promise<Picture[]> {
  const pixelsOf = (name: string): Uint8Array => (pictures[Number(name.split(" ")[1] ?? 0)] as Picture).pixels;
  const files = { read: async (name: string, lo: number, hi: number) => pixelsOf(name).subarray(lo, hi) };
  let round: { tasks: number; grainTasks: number; input: Uint8Array | null } = {
    ...workload.plan(payload),
    input: null,
  };
  for (let number = 0; ; number++) {
    const tiles: GrainRun[] = [];
    for (let lo = 0; lo < grainsOf(round); lo++) {
      const inputs = (await workload.inputs?.(payload, number, lo, lo + 1, files)) ?? null;
      const { tasks, grainTasks, input } = round;
      const given = { workload: workload.type, files: {}, payload, round: number, tasks, grainTasks, input };
      tiles.push({ ...given, inputs, inputsFirstTask: lo, lo, hi: lo + 1 });
    }
    let merged: ReturnType<typeof host.decode> | null = null;
    for (const [lo, partial] of (await compute(tiles)).entries()) {
      const part = host.decode(payload, partial);
      const fault = host.check?.(payload, number, lo, lo + 1, part) ?? null;
      if (fault !== null) throw new Error(fault);
      merged = merged ? host.merge(merged, part) : part;
    }
    if (!merged) throw new Error("there are no tiles");
    const next = host.next?.(payload, number, merged, round.input) ?? null;
    if (!next) {
      const tiles = "pixels" in merged ? itemsOf(merged.pixels) : [];
      return partsOf(payload).map((part, image) => {
        const { output } = programOf(part).rounds[number] as { output: Omit<Picture, "pixels"> };
        return {
          ...output,
          pixels: assembled(
            part,
            tiles.filter((tile) => tile.image === image),
          ),
        };
      });
    }
    round = next;
  }
}
