/** What a store says when its thread is gone. */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { expect, it, vi } from "vitest";
import { openDatabase } from "./driver.ts";
import { aNode, errorCode } from "./fixtures.ts";
import { SqliteStore } from "./sqlite.ts";
import type { Write } from "./store.ts";

const threads = vi.hoisted(() => [] as Worker[]);
vi.mock("../thread.ts", async (importOriginal) => {
  const real = await importOriginal<typeof import("../thread.ts")>();
  return {
    spawnThread: (...args: Parameters<typeof real.spawnThread>): Worker => {
      const thread = real.spawnThread(...args);
      threads.push(thread);
      return thread;
    },
  };
});

it("does not know what a dead thread did, refuses until opened again, and then goes on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "queztl-store-"));
  const store = new SqliteStore({ file: join(folder, "queztl.db") });
  const write: Write = { type: "node.upsert", node: aNode({ id: "n" }) };
  try {
    await store.open("c");
    const blocker = openDatabase(join(folder, "queztl.db"));
    blocker.exec("BEGIN IMMEDIATE");
    const commit = errorCode(store.commit([write]));
    const read = errorCode(store.job("j"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const gone = threads[0]?.terminate();
    blocker.exec("ROLLBACK");
    blocker.close();
    await gone;
    expect(await commit).toBe("unknown");
    expect(await read).toBe("unknown");
    expect(await errorCode(store.commit([write]))).toBe("unknown");
    expect((await store.open("c")).epoch).toBe(2);
    await store.commit([write]);
    expect((await store.open("c")).nodes).toHaveLength(1);
    expect(threads).toHaveLength(2);
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
});
