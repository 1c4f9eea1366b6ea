/** BullMQ and Graphile Worker in the same run: their servers on private ports in a temporary folder, their clients on demand. */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Latencies } from "./probe.ts";

export interface PeerResult {
  tasksPerSecond: number;
  submittedPerSecond: number;
  clientUsPerTask: number;
  /** CPU of the server, where it tells. */
  serverUsPerTask: number | null;
  latencies: Latencies | null;
}

/** A figure, or why there is none. */
export type Peer = { name: string; result: PeerResult } | { name: string; missing: string };

const source = fileURLToPath(new URL("../peers/", import.meta.url));
const installed = fileURLToPath(new URL("../../.cache/peers/", import.meta.url));

/** Installs the peers' clients by their own lock file, once for each state of it. */
export function installPeers(): void {
  mkdirSync(installed, { recursive: true });
  const lock = readFileSync(join(source, "package-lock.json"), "utf8");
  for (const file of readdirSync(source)) copyFileSync(join(source, file), join(installed, file));
  const stamp = join(installed, "installed-lock.json");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  execFileSync(npm, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: installed,
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
  writeFileSync(stamp, lock);
}

export async function measureBullmq(tasks: number, latencyJobs: number): Promise<Peer> {
  const name = "BullMQ, Redis appendfsync always, concurrency 100";
  const binary = findBinary("redis-server", []);
  if (binary === null) return { name, missing: "redis-server not found: apt-get install redis-server" };
  const folder = mkdtempSync(join(tmpdir(), "queztl-redis-"));
  const port = await freePort();
  const flags = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes"];
  const server = spawn(binary, [...flags, "--appendfsync", "always"], { stdio: "ignore" });
  try {
    await answering(port);
    return { name, result: await client("bullmq.mjs", [port, tasks, latencyJobs]) };
  } finally {
    await ended(server);
    await rm(folder, { recursive: true, force: true });
  }
}

export async function measureGraphile(tasks: number): Promise<Peer> {
  const name = "Graphile Worker, PostgreSQL synchronous_commit on, batched";
  const folders = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql").sort().reverse() : [];
  const places = folders.map((version) => `/usr/lib/postgresql/${version}/bin`);
  const initdb = findBinary("initdb", places);
  const postgres = findBinary("postgres", places);
  if (initdb === null || postgres === null) {
    return { name, missing: "initdb and postgres not found: apt-get install postgresql" };
  }
  const folder = mkdtempSync(join(tmpdir(), "queztl-postgres-"));
  const user = unprivileged();
  if (user) chownSync(folder, user.uid, user.gid);
  const port = await freePort();
  const data = join(folder, "data");
  execFileSync(initdb, ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8"], {
    stdio: "ignore",
    cwd: folder,
    ...user,
  });
  const settings = [`port=${port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=${folder}`];
  settings.push("fsync=on", "synchronous_commit=on", "shared_buffers=256MB", "max_wal_size=4GB");
  const server = spawn(postgres, ["-D", data, ...settings.flatMap((setting) => ["-c", setting])], {
    stdio: "ignore",
    cwd: folder,
    ...user,
  });
  try {
    await answering(port);
    const result = await client("graphile.mjs", [port, tasks]);
    return { name, result: { ...result, latencies: null } };
  } finally {
    await ended(server, "SIGINT");
    await rm(folder, { recursive: true, force: true });
  }
}

/** PostgreSQL refuses to run as root: it runs as the user that its package made. */
function unprivileged(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith("postgres:"));
  const [, , uid, gid] = line?.split(":") ?? [];
  return uid === undefined || gid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}

function findBinary(name: string, places: readonly string[]): string | null {
  const folders = [...places, ...(process.env.PATH ?? "").split(delimiter)];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

function client(script: string, args: number[]): Promise<PeerResult> {
  return new Promise((resolve, reject) => {
    const options = { cwd: installed, timeout: 300_000, maxBuffer: 16 << 20 };
    execFile(process.execPath, [join(installed, script), ...args.map(String)], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${script}: ${stderr || error.message}`));
      else resolve(JSON.parse(stdout.trim().split("\n").at(-1) as string) as PeerResult);
    });
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function answering(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no server answered on port ${port} within 10 s`);
}

async function ended(server: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  server.kill(signal);
  const timer = setTimeout(() => server.kill("SIGKILL"), 10_000);
  await gone;
  clearTimeout(timer);
}
