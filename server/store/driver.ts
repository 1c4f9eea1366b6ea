/** better-sqlite3 for this Node: 13 bundles binaries for Node 22 and newer and crashes on 20, which 12 serves. */
import { createRequire } from "node:module";
import type BetterSqlite3 from "better-sqlite3";

const require = createRequire(import.meta.url);
const major = Number(process.versions.node.split(".")[0]);

export type Database = BetterSqlite3.Database;
export type Statement = BetterSqlite3.Statement<unknown[]>;

export function openDatabase(file: string): Database {
  const Driver = require(major >= 22 ? "better-sqlite3" : "better-sqlite3-node20") as typeof BetterSqlite3;
  return new Driver(file);
}
