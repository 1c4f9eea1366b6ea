import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { beliefConformance } from "./belief-conformance.ts";
import { type Opened, storeConformance } from "./conformance.ts";
import { openDatabase } from "./driver.ts";
import { aJob, aNode, errorCode, insertJob } from "./fixtures.ts";
import { ledgerConformance } from "./ledger-conformance.ts";
import { SqliteStore } from "./sqlite.ts";
import type { Write } from "./store.ts";

const make = async (): Promise<Opened> => {
  const folder = mkdtempSync(join(tmpdir(), "queztl-store-"));
  const file = join(folder, "deep", "er", "queztl.db");
  return {
    store: new SqliteStore({ file }),
    again: () => new SqliteStore({ file }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
};
storeConformance("SQLite", make);
ledgerConformance("SQLite", make);
beliefConformance("SQLite", make);

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

  it("never changes or removes a posting or a receipt, whoever asks", async () => {
    const { epoch } = await store.open("c");
    await store.commit(insertJob(aJob({ id: "j" }), epoch));
    const database = openDatabase(file);
    database.exec("INSERT INTO postings VALUES (1, 'grant', 1, 1, 'result', 5, 0, 0)");
    database.exec("INSERT INTO receipts VALUES (1, 1, 0, 0, 'h', NULL, '{}', x'00', '[]', NULL, 0)");
    for (const table of ["postings", "receipts"]) {
      expect(() => database.exec(`DELETE FROM ${table}`)).toThrow(/never removed/);
      expect(() => database.exec(`UPDATE ${table} SET job = 2`)).toThrow(/never changed/);
    }
    database.close();
  });

  it("brings a database of the first version up to date, with what it holds", async () => {
    await store.open("c");
    await store.close();
    const database = openDatabase(file);
    database.exec("DROP TABLE postings; DROP TABLE volunteers; DROP TABLE receipts");
    database.exec("ALTER TABLE results DROP COLUMN root; INSERT INTO names VALUES (1, 'n')");
    database.exec("DROP INDEX nodes_tainted; DROP INDEX jobs_unsealed; DROP TABLE contributions; DROP TABLE audits");
    database.exec("DROP TABLE documents; ALTER TABLE keys DROP COLUMN supply; ALTER TABLE keys DROP COLUMN region");
    database.exec("ALTER TABLE nodes DROP COLUMN trust; ALTER TABLE nodes DROP COLUMN tainted_at");
    database.exec("ALTER TABLE jobs DROP COLUMN verification; ALTER TABLE jobs DROP COLUMN sealed_at");
    database.exec(
      "INSERT INTO jobs SELECT 1, 'j', 's', 'w', '{}', NULL, 5, 'k', '{}', NULL, NULL, 0, NULL, NULL, 'queued', 0, 0, NULL, NULL, NULL, NULL",
    );
    database.exec(
      "INSERT INTO results VALUES (5, 1, 0, 0, 1, 1, 0, 'wasm', 'l', 1, 1, 0, 0, 'candidate', '', x'07', x'')",
    );
    database.pragma("user_version = 1");
    database.close();
    expect((await store.open("c")).lastResultId).toBe(5);
    expect((await store.results("j", 0))[0]).toMatchObject({ root: new Uint8Array(0), signature: Uint8Array.of(7) });
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
