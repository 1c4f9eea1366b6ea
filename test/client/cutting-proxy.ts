/** A network that fails: connections through it are cut after some bytes, in either direction, and some are refused. */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

export interface CuttingProxy extends AsyncDisposable {
  url: string;
  /** Connections that were cut or refused. */
  cuts: number;
  /** No more of it. */
  calm: boolean;
}

/** `chance` is asked for numbers from 0 to 1; the same ones make the same failures. */
export async function cuttingProxy(targetPort: number, chance: () => number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  const proxy = { cuts: 0, calm: false };
  const server: Server = createServer((near) => {
    const far = connect(targetPort, "127.0.0.1");
    const both = [near, far];
    let left = chance() < 0.1 ? 0 : 200 + chance() * 3_000;
    const cut = (): void => {
      proxy.cuts++;
      for (const socket of both) socket.destroy();
    };
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("data", (data) => {
        left -= proxy.calm ? 0 : data.length;
        if (left > 0) to.write(data);
        else {
          // The first part arrives: what is cut is cut within.
          to.write(data.subarray(0, Math.max(0, data.length + left)), cut);
        }
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** Numbers from 0 to 1 of a seed (mulberry32). */
export function chances(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
