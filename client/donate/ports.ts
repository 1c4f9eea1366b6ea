/** The browser's socket, clock and fetch, as the agent's ports. */
import type { ClockPort, FetchPort, SocketPort } from "../../agent/ports.ts";
import { subprotocol } from "../../protocol/version.ts";
import { sha256Hex } from "./identity.ts";

export const browserSocket: SocketPort = {
  open(url, on) {
    const socket = new WebSocket(url, subprotocol);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => on.open();
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (event.data instanceof ArrayBuffer) on.frame(new Uint8Array(event.data));
      else socket.close(1003, "frames are binary");
    };
    // An error is always followed by a close.
    socket.onclose = (event) => on.close(event.code, event.reason);
    return {
      send: (bytes) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(bytes as Uint8Array<ArrayBuffer>);
      },
      close: () => socket.close(1000),
      bufferedBytes: () => socket.bufferedAmount,
    };
  },
};

export const browserClock: ClockPort = {
  now: () => performance.now(),
  setTimer(ms, fire) {
    const timer = setTimeout(fire, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** Fetches bytes whose SHA-256 is known; throws when they are others. */
export async function fetchByHash(path: string, sha256: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(path, { credentials: "omit" });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const found = await sha256Hex(bytes);
  if (found !== sha256) throw new Error(`${path} has SHA-256 ${found}`);
  return bytes;
}

export const browserFetch: FetchPort = { blob: (sha256) => fetchByHash(`/b/${sha256}`, sha256) };
