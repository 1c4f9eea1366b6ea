/**
 * One process at a time per folder: two with the same identity would turn each other away. The lock is a local
 * socket, which the system lets go of however the process ends; a file would stay behind after a kill.
 */
import { createHash } from "node:crypto";
import { mkdir, realpath, unlink } from "node:fs/promises";
import { createConnection, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const waitMsMax = 3_000;
/** Linux has sockets without files, and Windows has pipes; elsewhere a killed process leaves its file behind. */
const leavesFile = process.platform !== "linux" && process.platform !== "win32";

/** Rejects, naming the remedy, while another process holds the folder. Resolves to how to let go of it. */
export async function lockFolder(folder: string): Promise<() => void> {
  await mkdir(folder, { recursive: true });
  const address = addressOf(await realpath(folder));
  // One that was told to stop a moment ago is given the time to go.
  for (const endMs = performance.now() + waitMsMax; performance.now() < endMs; ) {
    const server = await listen(address);
    if (server) return () => void server.close();
    if (await answers(address)) await new Promise((resolve) => setTimeout(resolve, 100));
    // Left behind by a process that was killed.
    else if (leavesFile) await unlink(address).catch(() => {});
  }
  throw new Error(`Another worker uses ${folder}. Stop it, or give this one another folder with --data.`);
}

/** Short, because paths of sockets may have only some 100 characters. */
function addressOf(folder: string): string {
  const name = `queztl-${createHash("sha256").update(folder).digest("hex").slice(0, 20)}`;
  if (process.platform === "win32") return `\\\\.\\pipe\\${name}`;
  return leavesFile ? join(tmpdir(), `${name}.sock`) : `\0${name}`;
}

/** Null where the address is taken. */
function listen(address: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(null) : reject(error),
    );
    server.listen(address, () => resolve(server));
  });
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(address);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
