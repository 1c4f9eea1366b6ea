/** A request as `access/` sees it, read from Node's own message: no Headers object is built for it. */
import type { IncomingMessage } from "node:http";
import type { RequestFacts } from "../../access/caller.ts";
import type { AskOwner } from "../../access/keyless.ts";
import { peerOwner } from "../../access/peer-owner.ts";

/** Also for WebSocket upgrades. */
export class IncomingFacts implements RequestFacts {
  constructor(readonly incoming: IncomingMessage) {}

  get method(): string {
    return this.incoming.method ?? "GET";
  }
  get peer(): string {
    return this.incoming.socket.remoteAddress ?? "";
  }
  get peerPort(): number {
    return this.incoming.socket.remotePort ?? 0;
  }
  get localAddress(): string {
    return this.incoming.socket.localAddress ?? "";
  }
  get httpVersion(): string {
    return this.incoming.httpVersion;
  }
  header(name: string): string | undefined {
    const value = this.incoming.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }
}

/** Answers once per connection: a socket does not change hands. "gone" is not kept, it ends anyway. */
export function askSocketOwner(): AskOwner {
  const known = new WeakMap<object, number | "unknown">();
  return async (facts) => {
    if (!(facts instanceof IncomingFacts)) return "unknown";
    const { socket } = facts.incoming;
    const before = known.get(socket);
    if (before !== undefined) return before;
    const owner = await peerOwner({
      remoteAddress: facts.peer,
      remotePort: facts.peerPort,
      localAddress: facts.localAddress,
      localPort: socket.localPort ?? 0,
    });
    if (owner !== "gone") known.set(socket, owner);
    return owner;
  };
}
