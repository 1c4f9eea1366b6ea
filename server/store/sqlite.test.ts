import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { storeConformance } from "./conformance.ts";
import { openDatabase } from "./driver.ts";
import { aJob, aNode, errorCode } from "./fixtures.ts";
import { SqliteStore } from "./sqlite.ts";
import type { Write } from "./store.ts";

storeConformance("SQLite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "queztl-store-"));
  const file = join(folder, "deep", "er", "queztl.db");
  return {
    store: new SqliteStore({ file }),
    again: () => new SqliteStore({ file }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
});

describe("SQLite alone", () => {
  let folder: string;
  let file: string;
  let store: SqliteStore;
  const write: Write = { type: "node.upsert", node: aNode({ id: "n" }) };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "queztl-store-"));
    file = join(folder, "queztl.db");
    store = new SqliteStore({ file });
  });
  afterEach(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("writes ahead, so that one fsync makes a batch durable", async () => {
    await store.open("c");
    const database = openDatabase(file);
    expect(database.pragma("journal_mode", { simple: true })).toBe("wal");
    database.close();
  });

  it("refuses a database of a newer version, and says so", async () => {
    const database = openDatabase(file);
    database.pragma("user_version = 99");
    database.close();
    await expect(store.open("c")).rejects.toThrow(/schema 99.*Update Queztl/);
  });

  it("refuses a file that is no database, and says so", async () => {
    writeFileSync(file, "not a database".repeat(1_000));
    await expect(store.open("c")).rejects.toThrow(/not a database/);
  });

  it("rolls a batch back at a value that the schema refuses, and goes on", async () => {
    await store.open("c");
    const wrong = { type: "job.insert", job: aJob({ id: "j", submitter: null as unknown as string }) } as const;
    expect(await errorCode(store.commit([write, wrong]))).toBe("refused");
    expect((await store.open("c")).nodes).toEqual([]);
    await store.commit([write]);
    expect((await store.open("c")).nodes).toHaveLength(1);
  });

  it("does not know the outcome of a commit that takes too long, and refuses more until it is opened again", async () => {
    await store.close();
    store = new SqliteStore({ file, commitMsMax: 100 });
    await store.open("c");
    const blocker = openDatabase(file);
    blocker.exec("BEGIN IMMEDIATE");
    expect(await errorCode(store.commit([write]))).toBe("unknown");
    expect(await errorCode(store.commit([write]))).toBe("unknown");
    blocker.exec("ROLLBACK");
    blocker.close();
    const { epoch } = await store.open("c");
    await store.commit([{ type: "node.upsert", node: aNode({ id: "m" }) }]);
    expect(epoch).toBe(2);
    expect((await store.open("c")).nodes.map(({ id }) => id)).toContain("m");
  });

  it("waits for another's short transaction", async () => {
    await store.open("c");
    const blocker = openDatabase(file);
    blocker.exec("BEGIN IMMEDIATE");
    const done = store.commit([write]);
    setTimeout(() => {
      blocker.exec("ROLLBACK");
      blocker.close();
    }, 100);
    await done;
  });
});
