/**
 * Connections of nodes: handshake, decoding, signatures, and what goes out at the end of a turn.
 * A frame is handled after the one before it, also while a signature is verified off the event loop.
 */
import { createHash, createPublicKey, type KeyObject, randomBytes, timingSafeEqual, verify } from "node:crypto";
import { decodeFromNode, encodeToNode, ProtocolError } from "../../protocol/codec.ts";
import { limits } from "../../protocol/limits.ts";
import type { CoordinatorMessage, Hello, NodeMessage, RefuseCode, ResultMessage } from "../../protocol/messages.ts";
import { helloBytes, resultBytes } from "../../protocol/sign.ts";
import { protocolMinimum, protocolVersion, whoMustUpgrade } from "../../protocol/version.ts";
import { networkOf } from "../access/addresses.ts";
import type { CoreEvent } from "../core/events.ts";
import { Backlog } from "./backlog.ts";
import { Roots } from "./roots.ts";

/** One socket, whatever carries it. */
export interface NodeSocket {
  send(bytes: Uint8Array): void;
  close(): void;
  bufferedBytes(): number;
  /** No more frames are wanted until `resume`. May be called more than once. */
  pause?(): void;
  resume?(): void;
  /** Its node said who it is. */
  greeted?(): void;
  /** The client's address; absent where there is none. */
  address?: string;
}

export interface ConnectionsPorts {
  /** Events of one frame, as one turn. */
  dispatch(events: CoreEvent[]): void;
  /** What the record knows of an identity; remembers the key of a new one. */
  /** Whether the record knows an identity. */
  knows(node: string): boolean;
  /** 0 where an identity that is new may come from this network now, else the seconds until then. */
  admit(network: string): number;
  history(node: string, publicKey: Uint8Array): { acceptedSlices: number; rejectedSlices: number; coreSeconds: number };
  coordinatorId: string;
  joinToken: string;
  /** Whether this is the token of an instance of the autoscaler's, which the identity may use; it is then bound to it. */
  hire(token: string, node: string): boolean;
  signResults: boolean;
  /** What proves later that this session's page speaks. */
  releaseToken(node: string, session: string): string;
  note(code: string, message: string): void;
}

interface Connection {
  id: number;
  socket: NodeSocket;
  network: string;
  nonce: Uint8Array;
  node: string | null;
  session: string;
  key: KeyObject | null;
  outbox: CoordinatorMessage[];
  backlog: Backlog;
  acked: number[];
  rejected: { seq: number; reason: string }[];
  /** Results refused since the last one that was taken in. */
  refused: number;
  /** The frame that is being handled, where that takes more than a turn. */
  line: Promise<void> | null;
  waiting: number;
  waitingBytes: number;
  closed: boolean;
  helloTimer: NodeJS.Timeout;
}

const helloMsMax = 5_000;
/** Frames of one connection that may wait for a signature; a node sends far fewer. */
const waitingFramesMax = 256;
/** More than an honest node holds when it comes back after all of its leases ended. */
const refusedMax = limits.unacknowledgedResultsMax;
const refusedRemedy = "Send results of leases that are yours.";
/** Of more than this nothing is read until it is handled: the network holds the rest back. */
const waitingBytesMax = 2 << 20;

export class Connections {
  readonly #connections = new Map<number, Connection>();
  #dirty = new Set<Connection>();
  readonly #roots = new Roots();
  #next = 1;

  constructor(private readonly ports: ConnectionsPorts) {}

  get size(): number {
    return this.#connections.size;
  }

  /** Takes a socket in and challenges it. Returns what to call when a frame comes or the socket closes. */
  add(socket: NodeSocket): { frame(bytes: Uint8Array): void; closed(): void } {
    const connection: Connection = {
      id: this.#next++,
      socket,
      network: networkOf(socket.address ?? ""),
      nonce: randomBytes(32),
      node: null,
      session: "",
      key: null,
      outbox: [],
      backlog: new Backlog(),
      acked: [],
      rejected: [],
      refused: 0,
      line: null,
      waiting: 0,
      waitingBytes: 0,
      closed: false,
      helloTimer: setTimeout(() => {
        this.close(
          connection.id,
          "hello_timeout",
          "No hello came within 5 s.",
          "Answer the challenge with a hello.",
          null,
        );
      }, helloMsMax),
    };
    this.#connections.set(connection.id, connection);
    this.#queue(connection, {
      type: "challenge",
      protocol: { version: protocolVersion, minimum: protocolMinimum },
      nonce: connection.nonce,
      coordinator: this.ports.coordinatorId,
    });
    this.flush();
    return {
      frame: (bytes) => this.#onFrame(connection, bytes),
      closed: () => this.#onClosed(connection),
    };
  }

  send(id: number, message: CoordinatorMessage): void {
    const connection = this.#connections.get(id);
    if (!connection) return;
    // The core knows no secrets: the token is added here.
    const { node, session } = connection;
    if (message.type === "welcome" && node !== null) message.release = this.ports.releaseToken(node, session);
    this.#queue(connection, message);
  }

  ack(id: number, seq: number, rejected: string | null): void {
    const connection = this.#connections.get(id);
    if (!connection) return;
    if (rejected === null) {
      connection.acked.push(seq);
      connection.refused = 0;
    } else {
      connection.rejected.push({ seq, reason: rejected });
      connection.refused++;
    }
    this.#dirty.add(connection);
    if (connection.refused <= refusedMax) return;
    this.ports.note("results_refused", `node ${connection.node ?? "?"} sends results that are none`);
    this.close(
      id,
      "bad_message",
      `${connection.refused} results were refused one after the other.`,
      refusedRemedy,
      null,
    );
    this.ports.dispatch([{ type: "disconnected", connection: id }]);
  }

  close(id: number, code: RefuseCode, message: string, remedy: string, retryMs: number | null): void {
    const connection = this.#connections.get(id);
    if (!connection) return;
    this.#queue(connection, { type: "refuse", code, message, remedy, retryMs });
    this.#flushOne(connection);
    this.#forget(connection);
    connection.socket.close();
  }

  closeAll(code: RefuseCode, message: string, retryMs: number): void {
    for (const id of [...this.#connections.keys()]) {
      this.close(id, code, message, "The node comes back by itself.", retryMs);
    }
    this.#roots.close();
  }

  /** Sends what the turn gathered: one frame for each connection. */
  flush(): void {
    if (this.#dirty.size === 0) return;
    const dirty = this.#dirty;
    this.#dirty = new Set();
    for (const connection of dirty) this.#flushOne(connection);
  }

  #queue(connection: Connection, message: CoordinatorMessage): void {
    connection.outbox.push(message);
    this.#dirty.add(connection);
  }

  #flushOne(connection: Connection): void {
    if (connection.closed) return;
    if (connection.acked.length + connection.rejected.length > 0) {
      connection.outbox.push({ type: "ack", seqs: connection.acked, rejected: connection.rejected });
      connection.acked = [];
      connection.rejected = [];
    }
    if (connection.outbox.length === 0) return;
    for (const messages of frames(connection.outbox)) {
      const frame = encodeToNode(messages);
      connection.socket.send(frame);
      connection.backlog.sent(frame.length);
    }
    connection.outbox = [];
    if (connection.backlog.isStuck(connection.socket.bufferedBytes(), Date.now())) {
      this.ports.note("slow_reader", `node ${connection.node ?? "?"} does not read what it is sent`);
      this.#forget(connection);
      connection.socket.close();
      this.ports.dispatch([{ type: "disconnected", connection: connection.id }]);
    }
  }

  #onClosed(connection: Connection): void {
    const joined = connection.node !== null && !connection.closed;
    this.#forget(connection);
    if (joined) this.ports.dispatch([{ type: "disconnected", connection: connection.id }]);
  }

  #forget(connection: Connection): void {
    connection.closed = true;
    clearTimeout(connection.helloTimer);
    this.#connections.delete(connection.id);
    this.#dirty.delete(connection);
  }

  #onFrame(connection: Connection, bytes: Uint8Array): void {
    if (connection.closed) return;
    if (connection.line) {
      if (++connection.waiting > waitingFramesMax) {
        this.#refuse(connection, "bad_message", "Too many frames at once.", "Wait for acknowledgements.");
        return;
      }
      connection.waitingBytes += bytes.length;
      if (connection.waitingBytes > waitingBytesMax) connection.socket.pause?.();
      connection.line = connection.line.then(() => {
        connection.waiting--;
        connection.waitingBytes -= bytes.length;
        if (connection.waitingBytes <= waitingBytesMax / 2) connection.socket.resume?.();
        return this.#handle(connection, bytes) ?? undefined;
      });
      return;
    }
    this.#hold(connection, this.#handle(connection, bytes));
  }

  #hold(connection: Connection, work: Promise<void> | null): void {
    if (!work) return;
    const line: Promise<void> = work.then(() => {
      if (connection.line === line) connection.line = null;
    });
    connection.line = line;
  }

  /** Handles a frame now, or returns the promise of it where a signature must be verified first. */
  #handle(connection: Connection, bytes: Uint8Array): Promise<void> | null {
    if (connection.closed) return null;
    let messages: NodeMessage[];
    try {
      messages = decodeFromNode(bytes);
    } catch (error) {
      const detail = error instanceof ProtocolError ? error.message : "unreadable";
      this.#refuse(connection, "bad_message", detail, "See docs/protocol.md, or update the node.");
      return null;
    }
    const results = messages.filter((message) => message.type === "result");
    if (connection.node !== null && results.length > 0 && this.ports.signResults) {
      return this.#verifyAll(connection, results).then((valid) => {
        if (valid) this.#accept(connection, messages);
        else
          this.#refuse(
            connection,
            "bad_signature",
            "A result's signature is wrong, or its root is not its partials'.",
            "Sign with the key of the hello.",
          );
      });
    }
    this.#accept(connection, messages);
    return null;
  }

  #accept(connection: Connection, messages: readonly NodeMessage[]): void {
    if (connection.closed) return;
    const events: CoreEvent[] = [];
    for (const message of messages) {
      if (message.type === "hello") {
        const event = this.#hello(connection, message);
        if (!event) return;
        events.push(event);
      } else if (connection.node === null) {
        this.#refuse(connection, "bad_message", `${message.type} before hello`, "Send the hello first.");
        return;
      } else if (message.type === "result") {
        events.push({ type: "result", connection: connection.id, result: message });
      } else {
        events.push({ type: "message", connection: connection.id, message });
      }
    }
    this.ports.dispatch(events);
  }

  #hello(connection: Connection, hello: Hello): CoreEvent | null {
    if (connection.node !== null) {
      this.#refuse(connection, "bad_message", "A second hello.", "One hello for each connection.");
      return null;
    }
    const upgrade = whoMustUpgrade(hello.protocol, { version: protocolVersion, minimum: protocolMinimum });
    if (upgrade === "node") {
      this.#refuse(
        connection,
        "upgrade_node",
        `This coordinator needs protocol ${protocolMinimum} or newer.`,
        "Reload the page, or update the worker.",
      );
      return null;
    }
    if (upgrade === "coordinator") {
      this.#refuse(
        connection,
        "upgrade_coordinator",
        `This coordinator speaks protocol ${protocolVersion}.`,
        "Ask the operator to update it, or use an older worker.",
      );
      return null;
    }
    const key = publicKeyOf(hello.publicKey);
    if (!key || !verify(null, helloBytes(connection.nonce, hello.session), key, hello.signature)) {
      this.#refuse(
        connection,
        "bad_signature",
        "The challenge was not signed by this key.",
        "Sign the nonce with the identity's Ed25519 key.",
      );
      return null;
    }
    const node = createHash("sha256").update(hello.publicKey).digest("hex").slice(0, 16);
    const operators = hello.joinToken !== null && equal(hello.joinToken, this.ports.joinToken);
    const hired = hello.joinToken !== null && !operators && this.ports.hire(hello.joinToken, node);
    if (hello.joinToken !== null && !operators && !hired) {
      this.#refuse(
        connection,
        "bad_join_token",
        "The join token is wrong.",
        "Use the token that the coordinator printed, or none.",
      );
      return null;
    }
    if (!this.#mayJoin(connection, hello, node)) return null;
    clearTimeout(connection.helloTimer);
    connection.key = key;
    connection.session = hello.session;
    connection.node = node;
    connection.socket.greeted?.();
    return {
      type: "hello",
      connection: connection.id,
      node: connection.node,
      own: hello.joinToken !== null,
      hired,
      session: hello.session,
      network: connection.network,
      capabilities: hello.capabilities,
      preferences: hello.preferences,
      holding: hello.holding,
      history: this.ports.history(connection.node, hello.publicKey),
    };
  }

  /** Identities are free to make; how many strangers come from one network in an hour is bounded. */
  #mayJoin(connection: Connection, hello: Hello, node: string): boolean {
    if (hello.joinToken !== null || this.ports.knows(node)) return true;
    const seconds = this.ports.admit(connection.network);
    if (seconds === 0) return true;
    const message = `Too many new identities came from the network ${connection.network} in this hour.`;
    const remedy = "Use an identity that has computed here before, or come back later.";
    this.close(connection.id, "too_many_identities", message, remedy, seconds * 1_000);
    this.ports.note("too_many_identities", message);
    return false;
  }

  async #verifyAll(connection: Connection, results: readonly ResultMessage[]): Promise<boolean> {
    const key = connection.key as KeyObject;
    const verdicts = await Promise.all(results.flatMap((result) => [isSigned(key, result), this.#roots.check(result)]));
    return verdicts.every(Boolean);
  }

  #refuse(connection: Connection, code: RefuseCode, message: string, remedy: string): void {
    const joined = connection.node !== null;
    this.close(connection.id, code, message.slice(0, 500), remedy, null);
    this.ports.note(code, message);
    if (joined) this.ports.dispatch([{ type: "disconnected", connection: connection.id }]);
  }
}

/** Bytes of slices' inputs that one frame gathers; one message alone may have more, up to the frame's own limit. */
const frameInputBytesMax = limits.coordinatorFrameBytesMax / 4;

/** Cuts what goes out into frames within the limits of the protocol. Nearly always one. */
function frames(messages: readonly CoordinatorMessage[]): (readonly CoordinatorMessage[])[] {
  const cut: CoordinatorMessage[][] = [];
  let from = 0;
  let bytes = 0;
  for (const [index, message] of messages.entries()) {
    const size = message.type === "lease" ? (message.inputs?.length ?? 0) : jobBytes(message);
    if (index > from && (bytes + size > frameInputBytesMax || index - from >= limits.frameMessagesMax)) {
      cut.push(messages.slice(from, index));
      from = index;
      bytes = 0;
    }
    bytes += size;
  }
  return cut.length === 0 ? [messages] : [...cut, messages.slice(from)];
}

/** A description carries a payload inline, whose size is bounded: counted at its bound. */
const jobBytes = (message: CoordinatorMessage): number =>
  message.type === "job" && "inline" in message.payload ? limits.inlineBytesMax : 0;

function publicKeyOf(raw: Uint8Array): KeyObject | null {
  if (raw.length !== 32) return null;
  try {
    const x = Buffer.from(raw).toString("base64url");
    return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  } catch {
    return null;
  }
}

/** In OpenSSL's thread pool: about 0.1 ms of a core, not of the event loop. */
function isSigned(key: KeyObject, result: ResultMessage): Promise<boolean> {
  return new Promise((resolve) => {
    verify(null, resultBytes(result), key, result.signature, (error, valid) => resolve(!error && valid));
  });
}

/** Compares secrets in constant time. */
export function equal(a: string, b: string): boolean {
  const left = createHash("sha256").update(a).digest();
  const right = createHash("sha256").update(b).digest();
  return timingSafeEqual(left, right);
}

export { limits };
