/** WebSockets of nodes, on the HTTP server's port. */
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { limits } from "../../protocol/limits.ts";
import { socketPath, subprotocol } from "../../protocol/version.ts";
import { networkOf } from "../access/addresses.ts";
import type { NodeSocket } from "../shell/connections.ts";
import { Gate, type GateLimits, gateLimits } from "./gate.ts";
import { cutOff } from "./http/listen.ts";

export interface SocketsOptions {
  /** Null when the coordinator takes no nodes now. */
  connect(socket: NodeSocket): { frame(bytes: Uint8Array): void; closed(): void } | null;
  /** Why this upgrade is refused, or null. */
  refuse(request: IncomingMessage): { status: number; reason: string } | null;
  /** The client's address. */
  addressOf?(request: IncomingMessage): string;
  limits?: GateLimits;
}

export class Sockets {
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: limits.nodeFrameBytesMax,
    perMessageDeflate: false,
    clientTracking: true,
    maxFragments: 64,
    maxBufferedChunks: 1_024,
    handleProtocols: (offered: Set<string>) => (offered.has(subprotocol) ? subprotocol : false),
  } as ConstructorParameters<typeof WebSocketServer>[0]);

  readonly #gate: Gate;

  constructor(private readonly options: SocketsOptions) {
    this.#gate = new Gate(options.limits ?? gateLimits);
  }

  get open(): number {
    return this.#server.clients.size;
  }

  attach(server: Server): void {
    server.on("upgrade", (request, socket, head) => this.#onUpgrade(request, socket, head));
  }

  close(): void {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const address = this.options.addressOf?.(request);
    const network = networkOf(address ?? "");
    const refusal = this.#refusal(request) ?? this.#gate.refusal(network);
    if (refusal) {
      decline(socket, refusal.status, refusal.reason);
      return;
    }
    const place = this.#gate.enter(network);
    // Also where the handshake fails.
    socket.once("close", place.left);
    this.#server.handleUpgrade(request, socket, head, (client) => {
      client.binaryType = "nodebuffer";
      const connection = this.options.connect({
        send: (bytes) => {
          if (client.readyState === client.OPEN) client.send(bytes);
        },
        close: () => {
          client.close(1000);
          // A peer that does not answer the close frame is cut off.
          setTimeout(() => client.terminate(), 5_000).unref();
        },
        bufferedBytes: () => client.bufferedAmount,
        pause: () => client.pause(),
        resume: () => client.resume(),
        greeted: place.greeted,
        ...(address === undefined ? {} : { address }),
      });
      if (!connection) {
        client.close(1013, "not serving");
        return;
      }
      client.on("message", (data: Buffer, isBinary: boolean) => {
        if (isBinary) connection.frame(data);
        else client.close(1003, "binary frames only");
      });
      client.on("close", () => connection.closed());
      client.on("error", () => client.terminate());
    });
  }

  #refusal(request: IncomingMessage): { status: number; reason: string } | null {
    const path = (request.url ?? "").split("?", 1)[0];
    if (path !== socketPath) return { status: 404, reason: `The WebSocket is at ${socketPath}.` };
    return this.options.refuse(request);
  }
}

const phrases: Record<number, string> = {
  403: "Forbidden",
  404: "Not Found",
  421: "Misdirected Request",
  429: "Too Many Requests",
  503: "Service Unavailable",
};

function decline(socket: Duplex, status: number, reason: string): void {
  const body = JSON.stringify({ type: "about:blank", title: phrases[status] ?? "Refused", status, detail: reason });
  socket.end(
    `HTTP/1.1 ${status} ${phrases[status] ?? "Refused"}\r\nContent-Type: application/problem+json\r\n` +
      `${status === 429 || status === 503 ? "Retry-After: 5\r\n" : ""}` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  cutOff(socket);
}
