import { createHash, verify } from "node:crypto";
import { decodeFromNode, encodeToNode } from "../../protocol/codec.ts";
import { resultRoot } from "../../protocol/merkle.ts";
import type { CoordinatorMessage, HeldLease, Hello, NodeMessage, ResultMessage } from "../../protocol/messages.ts";
import { unpackPartials } from "../../protocol/partials.ts";
import { helloBytes, resultBytes } from "../../protocol/sign.ts";
import { protocolMinimum, protocolVersion } from "../../protocol/version.ts";
import { grainOf } from "./fixtures.ts";

/** What a coordinator is to one node, over any wire: challenges, welcomes, checks signatures, counts grains. */
export class FakeCoordinator {
  readonly received: NodeMessage[] = [];
  /** By `lease/grain`: how often a result with a new sequence number brought it. */
  readonly grains = new Map<string, number>();
  readonly #results = new Map<string, Set<number>>();
  #nonce = new Uint8Array(32);
  #publicKey = new Uint8Array(32);
  #session = "";
  /** Whether results are acknowledged as they come. */
  acknowledges = true;
  /** Which held leases go on. */
  resumes = (held: HeldLease): boolean => held !== null;
  flushMs = 5_000;
  /** Throws where a grain's partial is not its own. */
  checkPartial = (grain: number, partial: Uint8Array): void => {
    if (grainOf(partial) !== grain) throw new Error(`grain ${grain} has the partial of grain ${grainOf(partial)}`);
  };
  /** The wire to the node; null while there is none. */
  post: ((bytes: Uint8Array) => void) | null = null;
  /** Cuts the wire. */
  hangUp: () => void = () => {};
  onWelcome: () => void = () => {};

  /** A node has connected. */
  connected(post: (bytes: Uint8Array) => void, hangUp: () => void): void {
    this.post = post;
    this.hangUp = hangUp;
    this.#nonce = crypto.getRandomValues(new Uint8Array(32));
    const protocol = { version: protocolVersion, minimum: protocolMinimum };
    this.send({ type: "challenge", protocol, nonce: this.#nonce, coordinator: "fake" });
  }

  send(...messages: CoordinatorMessage[]): void {
    this.post?.(encodeToNode(messages));
  }

  frame(bytes: Uint8Array): void {
    for (const message of decodeFromNode(bytes)) {
      this.received.push(message);
      if (message.type === "hello") this.#onHello(message);
      else if (message.type === "result") this.#onResult(message);
      else if (message.type === "progress") {
        this.send({ type: "standing", accepted: this.grains.size, rejected: 0, coreSeconds: 1 });
      }
    }
  }

  of<T extends NodeMessage["type"]>(type: T): Extract<NodeMessage, { type: T }>[] {
    return this.received.filter((message): message is Extract<NodeMessage, { type: T }> => message.type === type);
  }

  acknowledge(results: readonly ResultMessage[]): void {
    this.send({ type: "ack", seqs: results.map((result) => result.seq), rejected: [] });
  }

  #onHello(hello: Hello): void {
    this.#publicKey = new Uint8Array(hello.publicKey);
    this.#session = hello.session;
    this.#verify(helloBytes(this.#nonce, hello.session), hello.signature);
    const resumed = hello.holding.filter(this.resumes).map((held) => held.lease);
    const { flushMs } = this;
    this.send({ type: "welcome", node: "node-1", own: false, heartbeatMs: 1_000, flushMs, sign: true, resumed });
    this.onWelcome();
  }

  #onResult(result: ResultMessage): void {
    const root = resultRoot(result.lo, result.partials, (bytes) => createHash("sha256").update(bytes).digest());
    if (!root.every((byte, at) => byte === result.root[at])) throw new Error("A root is not the partials'.");
    this.#verify(resultBytes(result), result.signature);
    const seen = this.#results.get(this.#session) ?? new Set();
    this.#results.set(this.#session, seen);
    if (!seen.has(result.seq)) this.#count(result);
    seen.add(result.seq);
    if (this.acknowledges) this.acknowledge([result]);
  }

  #count(result: ResultMessage): void {
    const partials = unpackPartials(result.partials);
    if (partials.length !== result.hi - result.lo) throw new Error(`a result has ${partials.length} partials`);
    for (let grain = result.lo; grain < result.hi; grain++) {
      this.checkPartial(grain, partials[grain - result.lo] as Uint8Array);
      const key = `${result.lease}/${grain}`;
      this.grains.set(key, (this.grains.get(key) ?? 0) + 1);
    }
  }

  #verify(bytes: Uint8Array, signature: Uint8Array): void {
    const x = Buffer.from(this.#publicKey).toString("base64url");
    const key = { key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" } as const;
    if (!verify(null, bytes, key as never, signature)) throw new Error("A signature is not the node's.");
  }
}
