/** One simulated node: the real protocol over a real WebSocket, with a computation that costs next to nothing. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
} from "node:crypto";
import { Packr } from "msgpackr";
import WebSocket from "ws";
import { encodeToCoordinator } from "../../protocol/codec.ts";
import { limits } from "../../protocol/limits.ts";
import { resultRoot } from "../../protocol/merkle.ts";
import type {
  CoordinatorMessage,
  JobDescription,
  LeaseMessage,
  NodeMessage,
  ResultMessage,
} from "../../protocol/messages.ts";
import { helloBytes, resultBytes, type SignedResult } from "../../protocol/sign.ts";
import { protocolMinimum, protocolVersion, socketPath, subprotocol } from "../../protocol/version.ts";
import { packResults, taskBytes } from "./echo/data.ts";
import { joinToken } from "./setup.ts";

/** The product's own decoder checks every field; a simulated node leaves that out, to leave the machine to the server. */
const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: "number" });
const noBytes = new Uint8Array(0);
/** What a result's fields take beside its partials, at most. */
const resultOverheadBytes = 1_024;
const frameBytesMax = limits.nodeFrameBytesMax / 2;

/** What all nodes of the process count together. */
export class Tally {
  /** Tasks whose results were acknowledged, each once: a slice may be given out twice where time is lost. */
  tasks = 0;
  results = 0;
  acked = 0;
  /** Results that came after another had completed the job: copies of its last slices. */
  late = 0;
  readonly #covered = new Map<string, Set<number>>();
  framesIn = 0;
  framesOut = 0;
  firstLeaseMs = 0;
  lastAckMs = 0;
  /** Told of each lease as it comes, for latencies. */
  onLease: ((lease: LeaseMessage) => void) | null = null;
  onAck: (() => void) | null = null;
  defect: string | null = null;

  cover({ job, lo, hi }: LeaseMessage): void {
    let covered = this.#covered.get(job);
    if (!covered) {
      covered = new Set();
      this.#covered.set(job, covered);
    }
    if (covered.has(lo)) return;
    covered.add(lo);
    this.tasks += hi - lo;
  }
}

export class SimulatedNode {
  readonly #socket: WebSocket;
  readonly #key: KeyObject;
  readonly #publicKey: Uint8Array;
  readonly #jobs = new Map<string, { kernel: string; build: string }>();
  readonly #unacked = new Map<number, LeaseMessage>();
  readonly #session = randomUUID();
  #seq = 1;
  #sign = false;
  readonly welcomed: Promise<void>;
  #onWelcome!: () => void;
  #onFailed!: (error: Error) => void;

  constructor(
    port: number,
    private readonly slots: number,
    private readonly framePerResult: boolean,
    private readonly tally: Tally,
  ) {
    this.#key = newPrivateKey();
    this.#publicKey = rawPublicKey(this.#key);
    this.welcomed = new Promise((resolve, reject) => {
      this.#onWelcome = resolve;
      this.#onFailed = reject;
    });
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}${socketPath}`, subprotocol, { perMessageDeflate: false });
    this.#socket.binaryType = "nodebuffer";
    this.#socket.on("message", (bytes: Buffer) => this.#onFrame(bytes));
    this.#socket.on("error", (error) => this.#onFailed(error));
    this.#socket.on("close", (code) => this.#onClose(code));
  }

  /** Lets the coordinator give it work. */
  open(slots = this.slots): void {
    this.#send([{ type: "preferences", preferences: this.#preferences(slots) }]);
  }

  heartbeat(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#send([{ type: "progress", leases: [] }]);
  }

  get unacknowledged(): number {
    return this.#unacked.size;
  }

  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.terminate();
  }

  #onClose(code: number): void {
    this.tally.defect ??= `the coordinator closed a connection (${code})`;
    this.#onFailed(new Error(this.tally.defect));
    this.tally.onAck?.();
  }

  #preferences(slots: number) {
    return { slots: { wasm: slots, webgpu: 0, native: 0 }, families: ["benchmark"], name: null };
  }

  #send(messages: NodeMessage[]): void {
    this.tally.framesOut++;
    this.#socket.send(encodeToCoordinator(messages));
  }

  #onFrame(bytes: Buffer): void {
    this.tally.framesIn++;
    const results: ResultMessage[] = [];
    for (const message of packr.unpack(bytes) as CoordinatorMessage[]) {
      switch (message.type) {
        case "challenge":
          this.#hello(message.nonce);
          break;
        case "welcome":
          this.#sign = message.sign;
          this.#onWelcome();
          break;
        case "job":
          this.#jobs.set(message.job, { kernel: message.kernel, build: buildOf(message) });
          break;
        case "lease":
          results.push(this.#compute(message));
          break;
        case "ack":
          this.#onAck(message);
          break;
        case "forget":
          this.#jobs.delete(message.job);
          break;
        case "refuse":
          this.tally.defect = `refused: ${message.code}: ${message.message}`;
          this.#onFailed(new Error(this.tally.defect));
          break;
      }
    }
    this.#sendResults(results);
  }

  /** In one frame, or in as many as the protocol's limit on a frame asks for. */
  #sendResults(results: ResultMessage[]): void {
    let frame: ResultMessage[] = [];
    let bytes = 0;
    for (const result of results) {
      if (frame.length > 0 && (this.framePerResult || bytes + result.partials.length > frameBytesMax)) {
        this.#send(frame);
        frame = [];
        bytes = 0;
      }
      frame.push(result);
      bytes += result.partials.length + resultOverheadBytes;
    }
    if (frame.length > 0) this.#send(frame);
  }

  #hello(nonce: Uint8Array): void {
    this.#send([
      {
        type: "hello",
        protocol: { version: protocolVersion, minimum: protocolMinimum },
        publicKey: this.#publicKey,
        signature: sign(null, helloBytes(nonce, this.#session), this.#key),
        session: this.#session,
        joinToken,
        capabilities: {
          kind: "native",
          software: "benchmark",
          platform: null,
          cpu: { model: null, cores: 8 },
          ramBytes: null,
          wasm: { simd: true, threads: true },
          gpu: null,
          accelerators: [],
          engines: [],
        },
        preferences: this.#preferences(0),
        holding: [],
      },
    ]);
  }

  #compute(lease: LeaseMessage): ResultMessage {
    const { tally } = this;
    tally.firstLeaseMs ||= performance.now();
    tally.onLease?.(lease);
    const job = this.#jobs.get(lease.job);
    const { inputs } = lease;
    if (!job || !inputs || inputs.length !== (lease.hi - lease.lo) * taskBytes) {
      tally.defect = `lease ${lease.lease} came without its job or its inputs`;
      throw new Error(tally.defect);
    }
    const seq = this.#seq++;
    this.#unacked.set(seq, lease);
    tally.results++;
    const result = {
      type: "result" as const,
      seq,
      lease: lease.lease,
      ticket: lease.ticket,
      job: lease.job,
      round: lease.round,
      leaseLo: lease.lo,
      leaseHi: lease.hi,
      lo: lease.lo,
      hi: lease.hi,
      backend: lease.backend,
      kernel: job.kernel,
      build: job.build,
      partials: packResults(inputs),
      computeMs: 0.01 * (lease.hi - lease.lo),
      root: noBytes,
      signature: noBytes,
    };
    return this.#sign ? this.#signed(result) : result;
  }

  #signed<Result extends Omit<SignedResult, "root"> & { partials: Uint8Array }>(result: Result) {
    const root = resultRoot(result.lo, result.partials, (bytes) => createHash("sha256").update(bytes).digest());
    return { ...result, root, signature: sign(null, resultBytes({ ...result, root }), this.#key) };
  }

  #onAck(message: Extract<CoordinatorMessage, { type: "ack" }>): void {
    for (const seq of message.seqs) {
      const lease = this.#unacked.get(seq);
      if (lease) this.tally.cover(lease);
      else this.tally.defect = `result ${seq} was acknowledged twice, or never sent`;
      this.#unacked.delete(seq);
    }
    for (const { seq, reason } of message.rejected) {
      this.#unacked.delete(seq);
      if (reason === "job_ended") this.tally.late++;
      else this.tally.defect = `a result was rejected: ${reason}`;
    }
    this.tally.acked += message.seqs.length;
    this.tally.lastAckMs = performance.now();
    this.tally.onAck?.();
  }
}

/**
 * An Ed25519 key from 32 random bytes (RFC 8410). Not by generateKeyPairSync: in Node 20, a collection of garbage during
 * the export of one key, while the job that made it is garbage, waits for ever for the key's own lock.
 */
function newPrivateKey(): KeyObject {
  const head = Buffer.from("302e020100300506032b657004220420", "hex");
  return createPrivateKey({ key: Buffer.concat([head, randomBytes(32)]), format: "der", type: "pkcs8" });
}

/** The last 32 bytes of the key's DER form. */
const rawPublicKey = (key: KeyObject): Uint8Array =>
  Uint8Array.from(createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32));

const buildOf = (job: JobDescription): string => Object.values(job.files)[0]?.sha256 as string;
