/** A blob that was acknowledged is there, whole, whatever happens to the disk. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FilesystemBlobs } from "../../server/blobs/filesystem.ts";
import { CoveredProcess, randomOf } from "./process.ts";
import { buildShim, FaultyDisk } from "./shim.ts";

const shim = buildShim();
if ("reason" in shim) console.warn(`Power cuts are not tested: ${shim.reason}.`);

describe.skipIf("reason" in shim)("blobs over a faulty disk", () => {
  let disk: FaultyDisk;
  let running: CoveredProcess | null = null;
  beforeEach(() => {
    disk = new FaultyDisk();
  });
  afterEach(async () => {
    await running?.kill().catch(() => {});
    running = null;
    disk.remove();
  });

  const folder = (): string => join(disk.folder, "data", "blobs");
  const start = (): CoveredProcess => {
    running = new CoveredProcess(disk, new URL("./blob-writer.ts", import.meta.url), [folder()]);
    return running;
  };
  const assertThere = async (names: readonly string[], why: string): Promise<void> => {
    const blobs = new FilesystemBlobs(folder());
    for (const name of new Set(names)) expect(await blobs.get(name), `${name}, ${why}`).not.toBeNull();
  };

  it("loses none in 8 power cuts at random instants", async () => {
    const seed = Date.now();
    const random = randomOf(seed);
    const acknowledged: string[] = [];
    let names = 0;
    for (let cut = 0; cut < 8; cut++) {
      const process = start();
      await process.until(() => process.said("done").length >= 5);
      await new Promise((resolve) => setTimeout(resolve, random() * 60));
      await process.kill();
      acknowledged.push(...process.said("done"));
      names += disk.cutPower(cut % 2 ? { random } : {}).names;
      await assertThere(acknowledged, `seed ${seed}`);
    }
    expect(names, `seed ${seed}: no cut met an unsynced name`).toBeGreaterThan(0);
  });

  it.each([
    ["ENOSPC", { spaceBytes: 30_000 }],
    ["EIO", { failingSyncs: 5 }],
  ])("acknowledges none that met %s, and goes on afterwards", async (code, faults) => {
    const process = start();
    await process.until(() => process.said("done").length >= 20);
    disk.set(faults);
    await process.until(() => process.said("failed").length >= 5);
    disk.set({});
    const before = process.said("done").length;
    await process.until(() => process.said("done").length >= before + 20);
    await process.kill();
    expect(new Set(process.said("failed"))).toEqual(new Set([code]));
    disk.cutPower();
    await assertThere(process.said("done"), code);
  });
});
