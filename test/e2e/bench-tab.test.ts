/** The thorough benchmark of the tab sees what it says it does, in its shortest run; figures are no matter here. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { run } from "../../scripts/lib/child.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Found {
  transfer: { path: string; part: string; bytes: number }[];
  leaving: { computedGrains: number; computedMs: number; lostSeconds: number; freedMs: number }[];
  stops: { phase: string; coresBefore: number; computedOnMs: number; saidMs: number; freedMs: number | null }[];
}

// It reads /proc.
it.skipIf(process.platform !== "linux")(
  "measures transfer, a closed tab and a stop, and writes what it found",
  async () => {
    const args = ["--import", "tsx", `${root}benchmarks/tab/thorough/main.ts`, "--smoke"];
    const { code, output } = await run(process.execPath, args, { timeoutMs: 120_000 });
    expect([code, output]).toEqual([0, expect.stringContaining("| Stop while computing, CPU")]);
    const found = JSON.parse(readFileSync(`${root}.cache/bench/tab-smoke.json`, "utf8")) as Found;
    for (const part of ["page", "agent", "kernels", "API", "WebSocket"]) {
      const bytes = found.transfer.reduce((sum, one) => sum + (one.part === part ? one.bytes : 0), 0);
      expect([part, bytes > 0]).toEqual([part, true]);
    }
    const [left] = found.leaving;
    expect(left?.computedGrains).toBeGreaterThan(0);
    expect(left?.lostSeconds).toBeLessThan((left?.computedMs ?? 0) / 1000 + 0.1);
    expect(left?.freedMs).toBeGreaterThan(0);
    const [stop] = found.stops;
    expect(stop).toMatchObject({ phase: "computing", freedMs: expect.any(Number) });
    expect(stop?.saidMs).toBeGreaterThan(0);
    expect(stop?.coresBefore).toBeGreaterThan(0.05);
    // It was seen to end, within the time that it was watched.
    expect(stop?.computedOnMs).toBeLessThan(2_900);
  },
  150_000,
);
