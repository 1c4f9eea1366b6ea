/** Nothing acknowledged is ever lost: the real store over a disk that loses power, fills up and fails to sync. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../server/store/driver.ts";
import { wholeBatches } from "./numbered.ts";
import { buildShim, FaultyDisk } from "./shim.ts";

const shim = buildShim();
if ("reason" in shim) console.warn(`Power cuts are not tested: ${shim.reason}.`);

const writer = fileURLToPath(new URL("./writer.ts", import.meta.url));
const tsx = import.meta.resolve("tsx");

/** The random numbers of a seed, which a failing test prints. */
function randomOf(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

class Writer {
  readonly lines: string[] = [];
  readonly acknowledged: number[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<NodeJS.Signals | number | null>;
  #error = "";
  #waiting: (() => void)[] = [];

  constructor(disk: FaultyDisk, file: string, synchronous: "FULL" | "OFF", first: number) {
    const args = ["--import", tsx, writer, file, synchronous, String(first)];
    this.#child = spawn(process.execPath, args, { env: { ...process.env, ...disk.env } });
    this.#child.stderr?.on("data", (chunk) => {
      this.#error += chunk;
    });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      this.lines.push(line);
      const done = /^done (\d+)$/.exec(line);
      if (done) this.acknowledged.push(Number(done[1]));
      this.#wake();
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on("close", (code, signal) => {
        resolve(signal ?? code);
        this.#wake();
      });
    });
  }

  /** Resolves once `is` holds of what was printed; throws when the process ends before. */
  async until(is: () => boolean): Promise<void> {
    while (!is()) {
      if (this.#child.exitCode !== null) throw new Error(`The writer ended:\n${this.lines.join("\n")}\n${this.#error}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** SIGKILL; resolves when it is gone and all it had printed has been read. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    const end = await this.#ended;
    if (end !== "SIGKILL") throw new Error(`The writer ended by itself (${end}): ${this.#error}`);
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

describe.skipIf("reason" in shim)("the SQLite store over a faulty disk", () => {
  let disk: FaultyDisk;
  let file: string;
  let running: Writer | null = null;
  beforeEach(() => {
    disk = new FaultyDisk();
    file = join(disk.folder, "data", "queztl.db");
  });
  afterEach(async () => {
    await running?.kill().catch(() => {});
    running = null;
    disk.remove();
  });

  const start = (synchronous: "FULL" | "OFF", first = 0): Writer => {
    running = new Writer(disk, file, synchronous, first);
    return running;
  };
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
    for (let cut = 0; cut < 20; cut++) {
      const process = start("FULL", next);
      // Some cuts come while the store is being opened, most amid commits.
      if (cut % 5 !== 4) await process.until(() => process.acknowledged.length > 0);
      await new Promise((resolve) => setTimeout(resolve, random() * (cut % 5 === 4 ? 400 : 150)));
      await process.kill();
      acknowledged.push(...process.acknowledged);
      next = Math.max(next, ...process.acknowledged.map((number) => number + 1)) + 1;
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
    await process.until(() => process.acknowledged.length >= 20);
    await process.kill();
    disk.cutPower();
    const lost = await missing(process.acknowledged, process.acknowledged.length + 1).catch((error: Error) => error);
    expect(lost).not.toEqual([]);
  });

  it("refuses while the disk is full, keeps what it had, and goes on when there is room", async () => {
    const process = start("FULL");
    await process.until(() => process.acknowledged.length >= 10);
    disk.set({ spaceBytes: 10_000 });
    await process.until(() => process.lines.filter((line) => line.startsWith("failed")).length >= 3);
    disk.set({});
    const before = process.acknowledged.length;
    await process.until(() => process.acknowledged.length >= before + 10);
    await process.kill();
    const failures = process.lines.filter((line) => line.startsWith("failed"));
    expect(failures.every((line) => line.endsWith("refused"))).toBe(true);
    disk.cutPower();
    expect(await missing(process.acknowledged, process.acknowledged.length + failures.length + 1)).toEqual([]);
    assertSound();
  });

  it("does not know what a failed sync did, refuses more until opened again, and loses nothing acknowledged", async () => {
    const process = start("FULL");
    for (let fault = 1; fault <= 3; fault++) {
      const before = process.acknowledged.length;
      await process.until(() => process.acknowledged.length >= before + 10);
      disk.set({ failingSyncs: 1 });
      await process.until(() => process.lines.filter((line) => line.startsWith("again")).length >= fault);
    }
    const before = process.acknowledged.length;
    await process.until(() => process.acknowledged.length >= before + 10);
    await process.kill();
    disk.cutPower();
    expect(process.lines.filter((line) => /^failed \d+ unknown$/.test(line))).toHaveLength(3);
    expect(process.lines.filter((line) => line.startsWith("again"))).toEqual([
      "again unknown",
      "again unknown",
      "again unknown",
    ]);
    expect(await missing(process.acknowledged, process.acknowledged.length + 4)).toEqual([]);
    assertSound();
  });

  it("loses nothing when it is killed after a failed sync, started again, and then loses power", async () => {
    const first = start("FULL");
    await first.until(() => first.acknowledged.length >= 10);
    disk.set({ failingSyncs: 1_000 });
    await first.until(() => first.lines.some((line) => line.startsWith("failed")));
    await first.kill();
    disk.set({});
    const second = start("FULL", 1_000);
    await second.until(() => second.acknowledged.length >= 10);
    await second.kill();
    disk.cutPower();
    expect(await missing([...first.acknowledged, ...second.acknowledged], 1_100)).toEqual([]);
    assertSound();
  });
});
