/**
 * Whose process is at the other end of a loopback connection? A reverse proxy with its stock settings can
 * hide everything that tells a proxied stranger from a program on this machine (it rewrites Host and adds
 * no header), except that it seldom runs as the same user. Linux publishes the owner of each socket.
 */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { endianness } from "node:os";
import { plainAddress } from "./addresses.ts";

export interface Connection {
  /** The other end, as our socket names it. */
  remoteAddress: string;
  remotePort: number;
  localAddress: string;
  localPort: number;
}

/** One address and port as /proc/net/tcp and tcp6 write them: 32-bit words in the machine's byte order. */
function procEndpoint(address: string, port: number, table: "tcp" | "tcp6"): string | null {
  const plain = plainAddress(address);
  const words: Buffer[] = [];
  if (isIP(plain) === 4) {
    if (table === "tcp6") words.push(Buffer.alloc(8), Buffer.from([0, 0, 0xff, 0xff]));
    words.push(Buffer.from(plain.split(".").map(Number)));
  } else if (plain === "::1" && table === "tcp6") words.push(Buffer.alloc(12), Buffer.from([0, 0, 0, 1]));
  else return null;
  const bytes = Buffer.concat(words);
  if (endianness() === "LE") bytes.swap32();
  return `${bytes.toString("hex")}:${port.toString(16).padStart(4, "0")}`.toUpperCase();
}

/** State and uid of the socket from `local` to `remote` in a table's text. */
function row(text: string, local: string | null, remote: string | null): { state: string; uid: number } | null {
  if (local === null || remote === null) return null;
  const at = text.indexOf(` ${local} ${remote} `);
  if (at < 0) return null;
  // local_address rem_address st tx:rx tr:tm retrnsmt uid
  const columns = text
    .slice(at + 1, at + 400)
    .trim()
    .split(/\s+/, 7);
  return { state: columns[2] ?? "", uid: Number(columns[6]) };
}

/**
 * Reads a table for all who ask at the same moment: who comes while it is being read waits for the next reading, which
 * begins after that, since a new socket need not be in one that has begun.
 */
export function sharedReading(read: (path: string) => Promise<string>): (path: string) => Promise<string> {
  const next = new Map<string, Promise<string>>();
  const current = new Map<string, Promise<unknown>>();
  return (path) => {
    const waiting = next.get(path);
    if (waiting) return waiting;
    const begun = (current.get(path) ?? Promise.resolve()).then(() => {
      next.delete(path);
      const reading = read(path);
      current.set(
        path,
        reading.catch(() => {}),
      );
      return reading;
    });
    next.set(path, begun);
    return begun;
  };
}

const readTable = sharedReading((path) => readFile(path, "latin1"));

/**
 * Uid of the process at the other end. "unknown" where the system does not tell (not Linux, or its tables
 * do not list even our own end); "gone" when the other end is no longer an established socket of this
 * machine: an orphan is listed with uid 0, whoever had it.
 */
export async function peerOwner(
  connection: Connection,
  read: (path: string) => Promise<string> = readTable,
): Promise<number | "unknown" | "gone"> {
  const { remoteAddress, remotePort, localAddress, localPort } = connection;
  let listsOurEnd = false;
  for (const table of ["tcp", "tcp6"] as const) {
    const text = await read(`/proc/net/${table}`).catch(() => "");
    const theirs = procEndpoint(remoteAddress, remotePort, table);
    const ours = procEndpoint(localAddress, localPort, table);
    const peer = row(text, theirs, ours);
    if (peer !== null) return peer.state === "01" && Number.isInteger(peer.uid) ? peer.uid : "gone";
    listsOurEnd ||= row(text, ours, theirs) !== null;
  }
  return listsOurEnd ? "gone" : "unknown";
}
