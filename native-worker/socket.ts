import { WebSocket } from "ws";
import type { SocketPort } from "../agent/ports.ts";
import { limits } from "../protocol/limits.ts";
import { socketPath, subprotocol } from "../protocol/version.ts";

/** The agent's socket over `ws`. */
export function nodeSocket(coordinatorUrl: URL): SocketPort {
  const url = new URL(socketPath, coordinatorUrl);
  url.protocol = coordinatorUrl.protocol === "https:" ? "wss:" : "ws:";
  return {
    open(on) {
      const socket = new WebSocket(url, subprotocol, {
        maxPayload: limits.coordinatorFrameBytesMax,
        perMessageDeflate: false,
        handshakeTimeout: 10_000,
      });
      let why = "closed";
      socket.on("open", () => on.open());
      socket.on("message", (data: Buffer, isBinary: boolean) => {
        if (isBinary) on.frame(data);
      });
      socket.on("error", (error) => {
        why = error.message;
      });
      socket.on("close", (code) => on.close(code === 1006 || code === 1000 ? why : `${why}, code ${code}`));
      return {
        send: (bytes) => {
          if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
        },
        close: () => {
          socket.close(1000);
          setTimeout(() => socket.terminate(), 1_000).unref();
        },
      };
    },
  };
}
