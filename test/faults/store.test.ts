/** Nothing acknowledged is ever lost: the real store over a disk that loses power, fills up and fails to sync. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../server/store/driver.ts";
import { wholeBatches } from "./numbered.ts";
import { CoveredProcess, randomOf } from "./process.ts";
import { buildShim, FaultyDisk } from "./shim.ts";

const shim = buildShim();
if ("reason" in shim) console.warn(`Power cuts are not tested: ${shim.reason}.`);

const writer = new URL("./writer.ts", import.meta.url);

describe.skipIf("reason" in shim)("the SQLite store over a faulty disk", () => {
  let disk: FaultyDisk;
  let file: string;
  let running: CoveredProcess | null = null;
  beforeEach(() => {
    disk = new FaultyDisk();
    file = join(disk.folder, "data", "queztl.db");
  });
  afterEach(async () => {
    await running?.kill().catch(() => {});
    running = null;
    disk.remove();
  });

  const start = (synchronous: "FULL" | "OFF", first = 0): CoveredProcess => {
    running = new CoveredProcess(disk, writer, [file, synchronous, String(first)]);
    return running;
  };
  const acknowledgedBy = (process: CoveredProcess): number[] => process.said("done").map(Number);
  const missing = async (acknowledged: readonly number[], count: number): Promise<number[]> => {
    const whole = await wholeBatches(file, count);
    return acknowledged.filter((number) => !whole.has(number));
  };
  const assertSound = (): void => {
    const database = openDatabase(file);
    expect(database.pragma("integrity_check", { simple: true })).toBe("ok");
    database.close();
  };

  it("loses nothing acknowledged in 20 power cuts at random instants", async () => {
    const seed = Date.now();
    const random = randomOf(seed);
    const acknowledged: number[] = [];
    let next = 0;
    let taken = 0;
    // More where none of them came amid a commit, which is chance.
    for (let cut = 0; cut < 20 || (taken === 0 && cut < 100); cut++) {
      const process = start("FULL", next);
      // Some cuts come while the store is being opened, most amid commits.
      if (cut % 5 !== 4) await process.until(() => acknowledgedBy(process).length > 0);
      await new Promise((resolve) => setTimeout(resolve, random() * (cut % 5 === 4 ? 400 : 150)));
      await process.kill();
      acknowledged.push(...acknowledgedBy(process));
      next = Math.max(next, ...acknowledgedBy(process).map((number) => number + 1)) + 1;
      // Every other time the disk had written some of what it was not told to.
      taken += disk.cutPower(cut % 2 ? { random } : {}).changes;
    }
    expect(await missing(acknowledged, next), `seed ${seed}`).toEqual([]);
    assertSound();
    expect(acknowledged.length, `seed ${seed}`).toBeGreaterThan(100);
    expect(taken, `seed ${seed}: no cut met an unsynced write`).toBeGreaterThan(0);
  });

  it("is seen to lose when it does not sync", async () => {
    const process = start("OFF");
    await process.until(() => acknowledgedBy(process).length >= 20);
    await process.kill();
    disk.cutPower();
    const lost = await missing(acknowledgedBy(process), acknowledgedBy(process).length + 1).catch(
      (error: Error) => error,
    );
    expect(lost).not.toEqual([]);
  });

  it("refuses while the disk is full, keeps what it had, and goes on when there is room", async () => {
    const process = start("FULL");
    await process.until(() => acknowledgedBy(process).length >= 10);
    disk.set({ spaceBytes: 10_000 });
    await process.until(() => process.said("failed").length >= 3);
    disk.set({});
    const before = acknowledgedBy(process).length;
    await process.until(() => acknowledgedBy(process).length >= before + 10);
    await process.kill();
    const failures = process.said("failed");
    expect(failures.every((line) => line.endsWith("refused"))).toBe(true);
    disk.cutPower();
    expect(await missing(acknowledgedBy(process), acknowledgedBy(process).length + failures.length + 1)).toEqual([]);
    assertSound();
  });

  it("does not know what a failed sync did, refuses more until opened again, and loses nothing acknowledged", async () => {
    const process = start("FULL");
    for (let fault = 1; fault <= 3; fault++) {
      const before = acknowledgedBy(process).length;
      await process.until(() => acknowledgedBy(process).length >= before + 10);
      disk.set({ failingSyncs: 1 });
      await process.until(() => process.said("again").length >= fault);
    }
    const before = acknowledgedBy(process).length;
    await process.until(() => acknowledgedBy(process).length >= before + 10);
    await process.kill();
    disk.cutPower();
    expect(process.said("failed").filter((line) => line.endsWith("unknown"))).toHaveLength(3);
    expect(process.said("again")).toEqual(["unknown", "unknown", "unknown"]);
    expect(await missing(acknowledgedBy(process), acknowledgedBy(process).length + 4)).toEqual([]);
    assertSound();
  });

  it("loses nothing when it is killed after a failed sync, started again, and then loses power", async () => {
    const first = start("FULL");
    await first.until(() => acknowledgedBy(first).length >= 10);
    disk.set({ failingSyncs: 1_000 });
    await first.until(() => first.said("failed").length > 0);
    await first.kill();
    disk.set({});
    const second = start("FULL", 1_000);
    await second.until(() => acknowledgedBy(second).length >= 10);
    await second.kill();
    disk.cutPower();
    expect(await missing([...acknowledgedBy(first), ...acknowledgedBy(second)], 1_100)).toEqual([]);
    assertSound();
  });
});
