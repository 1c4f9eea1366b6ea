/** The browser's socket, clock and fetch, as the agent's ports. */
import type { BlobPort, ClockPort, SocketPort } from "../../agent/ports.ts";
import { sessionHeader, subprotocol } from "../../protocol/version.ts";
import { sha256Hex } from "./hash.ts";
import { KeptBytes } from "./kept-bytes.ts";

const fetchMsMax = 30_000;
const bytesMax = 64 << 20;

export const browserSocket = (url: string): SocketPort => ({
  open(on) {
    const socket = new WebSocket(url, subprotocol);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => on.open();
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (event.data instanceof ArrayBuffer) on.frame(new Uint8Array(event.data));
      else socket.close(4000, "frames are binary");
    };
    // An error is always followed by a close.
    socket.onclose = (event) => on.close(event.reason || `code ${event.code}`);
    return {
      send: (bytes) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(bytes as Uint8Array<ArrayBuffer>);
      },
      close: () => socket.close(1000),
    };
  },
});

export const browserClock: ClockPort = {
  now: () => performance.now(),
  every(ms, run) {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
  random: () => Math.random(),
};

const keptBytes = new KeptBytes(globalThis.caches);

/** Bytes whose SHA-256 is known, kept from an earlier visit or fetched; throws when they are others. */
export async function fetchByHash(
  path: string,
  sha256: string,
  headers: Record<string, string> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const kept = await keptBytes.get(path);
  if (kept) {
    if ((await sha256Hex(kept)) === sha256) return kept;
    await keptBytes.delete(path);
  }
  const response = await fetch(path, { credentials: "omit", headers, signal: AbortSignal.timeout(fetchMsMax) });
  if (!response.ok) throw new Error(`${path}: the coordinator answered ${response.status}.`);
  if (Number(response.headers.get("content-length") ?? 0) > bytesMax) throw new Error(`${path} is too large.`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const found = await sha256Hex(bytes);
  if (found !== sha256) throw new Error(`${path} is not what its name says: its hash is ${found}.`);
  void keptBytes.put(path, bytes);
  return bytes;
}

export const browserBlobs: BlobPort = {
  blob: (sha256, token) => fetchByHash(`/b/${sha256}`, sha256, token === null ? {} : { [sessionHeader]: token }),
  sha256Hex,
};
