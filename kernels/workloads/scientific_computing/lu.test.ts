/** A distributed LU on the built kernels, round by round, against plain elimination. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { WasmRunner } from "../../run/wasm.ts";
import host, { type ScienceResult } from "./host.ts";
import { decodeTile, encodeTile } from "./layout.ts";
import type { LuResult } from "./lu.ts";
import type { LinpackPayload, SciencePayload } from "./payload.ts";
import { referenceSolution } from "./reference.ts";
import workload from "./workload.ts";

const built = fileURLToPath(new URL("../../../dist/kernels/", import.meta.url));
const manifest = JSON.parse(readFileSync(`${built}manifest.json`, "utf8"));
const load = async (sha256: string) => new Uint8Array(readFileSync(`${built}${sha256}.wasm`));
const parse = (payload: unknown): SciencePayload => workload.payload.parse(payload);

/** `forge` may change a round's block before it is merged. */
async function solved(
  payload: SciencePayload,
  simd: boolean,
  forge: (round: number, partial: Uint8Array) => Uint8Array = (_, partial) => partial,
): Promise<ScienceResult & { rounds: number }> {
  const runner = new WasmRunner(load, { simd });
  let round: { tasks: number; input: Uint8Array | null } = { tasks: workload.plan(payload).tasks, input: null };
  for (let number = 0; ; number++) {
    let merged: ReturnType<typeof host.decode> | null = null;
    for (let lo = 0; lo < round.tasks; lo++) {
      const grain = { workload: workload as never, files: manifest.scientific_computing.files, payload };
      const run = { ...grain, round: number, input: round.input, inputs: null, lo, hi: lo + 1 };
      const { partial } = await runner.run(run, new AbortController().signal);
      const part = host.decode(payload, forge(number, partial));
      expect(host.check?.(payload, number, lo, lo + 1, part)).toBeNull();
      merged = merged ? host.merge(merged, part) : part;
    }
    if (!merged) throw new Error("there are no blocks");
    const next = host.next?.(payload, number, merged, round.input) ?? null;
    if (!next) return { ...host.finish(payload, merged, round.input), rounds: number + 1 };
    round = next;
  }
}

describe("a system that is solved together", () => {
  it.each([1, 64, 100, 257])("has the solution of plain elimination: %i equations", async (n) => {
    const payload = parse({ problem: "lu", n, seed: 3 });
    const result = (await solved(payload, true)) as LuResult & { rounds: number };
    expect(result.rounds).toBe(Math.ceil(n / 64));
    expect(result.residual).toBeLessThan(1);
    const { x } = referenceSolution({ problem: "linpack", n, seed: 3 } as LinpackPayload, 0);
    const size = Math.max(...x.map(Math.abs));
    for (const [at, value] of result.solution.entries())
      expect(Math.abs(value - (x[at] as number))).toBeLessThan(1e-9 * size);
    expect(await solved(payload, false)).toEqual(result);
  });

  it("takes a matrix and a right side of one's own", async () => {
    const payload = parse({
      problem: "lu",
      a: [
        [0, 2, 1],
        [1, 0, 0],
        [3, 0, 4],
      ],
      b: [5, 1, 11],
    });
    const { solution } = (await solved(payload, true)) as LuResult;
    expect(solution.map((value) => Math.round(value * 1e12) / 1e12)).toEqual([1, 1.5, 2]);
  });

  it("fails where the matrix is singular, and where a block was wrong", async () => {
    await expect(
      solved(
        parse({
          problem: "lu",
          a: [
            [1, 2],
            [2, 4],
          ],
        }),
        true,
      ),
    ).rejects.toThrow(/singular/);
    const wrong = (round: number, partial: Uint8Array): Uint8Array => {
      const tile = decodeTile(partial, false);
      if (round === 1 && tile.tile === 0) tile.entries[70] = (tile.entries[70] as number) + 1e-6;
      return encodeTile(tile);
    };
    await expect(solved(parse({ problem: "lu", n: 150 }), true, wrong)).rejects.toThrow(/residual/);
  });

  it.each([
    [{ problem: "lu", n: 2_000 }, "n"],
    [{ problem: "lu", a: [[1, 2]] }, "a"],
    [{ problem: "lu", a: [[1]], n: 1 }, "n"],
    [{ problem: "lu", n: 3, b: [1] }, "b"],
  ])("%j is refused by its field", (payload, field) => {
    expect(workload.payload.safeParse(payload).error?.issues.map(({ path }) => path.join("."))).toEqual([field]);
  });
});
