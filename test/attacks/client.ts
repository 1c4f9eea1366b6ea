/**
 * A node that does as it likes: it speaks the real protocol over a real socket, and a test bends what it says. All
 * that these tests know of the messages is here.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import { type ClientOptions, WebSocket } from "ws";
import { grainTasks } from "../../kernels/contract.ts";
import { encodeTally } from "../../kernels/workloads/monte_carlo/layout.ts";
import { referenceTally } from "../../kernels/workloads/monte_carlo/reference.ts";
import { parse } from "../../kernels/workloads/monte_carlo/testing.ts";
import { decodeFromCoordinator, encodeToCoordinator } from "../../protocol/codec.ts";
import { resultRoot } from "../../protocol/merkle.ts";
import type {
  CoordinatorMessage,
  HeldLease,
  Hello,
  JobDescription,
  LeaseMessage,
  NodeMessage,
  ResultMessage,
} from "../../protocol/messages.ts";
import { packPartials } from "../../protocol/partials.ts";
import { helloBytes, resultBytes } from "../../protocol/sign.ts";
import { protocolMinimum, protocolVersion, socketPath, subprotocol } from "../../protocol/version.ts";
import { until } from "../chaos/processes.ts";

export interface AttackNodeOptions {
  /** With it the node is an own node. */
  joinToken?: string;
  /** Leases are computed and answered as they come; else they are only kept. */
  honest?: boolean;
  slots?: number;
  /** Headers of the upgrade, such as Origin and Host. */
  headers?: Record<string, string>;
  /** Answers the challenge by itself; else the test does. */
  hello?: boolean;
  /** Address of 127.0.0.0/8 from which it connects. */
  localAddress?: string;
}

export type Refusal = Extract<CoordinatorMessage, { type: "refuse" }>;

const answerMsMax = 10_000;
/** Below what any timing of the coordinator takes for silence. */
const heartbeatMs = 1_000;

export class AttackNode {
  readonly heard: CoordinatorMessage[] = [];
  readonly leases: LeaseMessage[] = [];
  readonly revoked: { lease: string; reason: string; heldMs: number }[] = [];
  readonly #leasedAtMs = new Map<string, number>();
  readonly acked: number[] = [];
  readonly rejected: { seq: number; reason: string }[] = [];
  readonly jobs = new Map<string, JobDescription>();
  /** Every result of an honest node, for replays. */
  readonly sent: ResultMessage[] = [];
  /** While true, one hit too many in every grain. */
  lying = false;
  readonly session: string = randomUUID();
  socket!: WebSocket;
  /** Time from the first packet until the other side closed. */
  closedAfterMs: number | null = null;
  /** HTTP status where the upgrade was refused. */
  status: number | null = null;
  readonly #privateKey: KeyObject;
  readonly publicKey: Uint8Array;
  #seq = 1;
  /** Heartbeats are told once the coordinator has welcomed this connection. */
  #isWelcome = false;

  constructor(
    readonly url: string,
    readonly options: AttackNodeOptions = {},
  ) {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    this.#privateKey = privateKey;
    this.publicKey = Buffer.from(publicKey.export({ format: "jwk" }).x as string, "base64url");
  }

  /** Resolves when the socket is open; rejects where the upgrade is refused (`status` says how). */
  async connect(holding: readonly HeldLease[] = []): Promise<this> {
    const { headers, localAddress, hello = true } = this.options;
    const startedMs = performance.now();
    this.closedAfterMs = null;
    this.#isWelcome = false;
    const options: ClientOptions & { localAddress?: string } = { perMessageDeflate: false };
    if (headers) options.headers = headers;
    if (localAddress) options.localAddress = localAddress;
    const socket = new WebSocket(`${this.url.replace(/^http/, "ws")}${socketPath}`, subprotocol, options);
    this.socket = socket;
    socket.on("unexpected-response", (request, answer) => {
      this.status = answer.statusCode ?? 0;
      request.destroy();
      socket.emit("error", new Error(`refused with ${this.status}`));
    });
    socket.on("close", () => {
      this.closedAfterMs ??= performance.now() - startedMs;
    });
    socket.on("message", (bytes: Buffer) => this.#onFrame(bytes, hello, holding));
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    socket.on("error", () => {});
    const heartbeat = setInterval(() => {
      if (this.#isWelcome) this.send({ type: "progress", leases: [] });
    }, heartbeatMs);
    socket.on("close", () => clearInterval(heartbeat));
    return this;
  }

  /** Connects, and waits for the welcome. */
  async join(holding: readonly HeldLease[] = []): Promise<this> {
    await this.connect(holding);
    const before = this.heard.filter(({ type }) => type === "welcome").length;
    await this.until(
      () => this.heard.filter(({ type }) => type === "welcome").length > before || this.refusal !== undefined,
      "no welcome came",
    );
    return this;
  }

  get nodeId(): string {
    return createHash("sha256").update(this.publicKey).digest("hex").slice(0, 16);
  }

  get refusal(): Refusal | undefined {
    return this.heard.find((message): message is Refusal => message.type === "refuse");
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  until(holds: () => boolean, what: string, ms = answerMsMax): Promise<true> {
    const told = () => `${what}; refusal: ${JSON.stringify(this.refusal)}; last: ${this.heard.at(-1)?.type}`;
    return until(() => holds() || null, ms, told);
  }

  send(...messages: NodeMessage[]): void {
    this.sendRaw(encodeToCoordinator(messages));
  }

  /** Bytes as they are, for what breaks the protocol. */
  sendRaw(bytes: Uint8Array): void {
    if (this.isOpen) this.socket.send(bytes);
  }

  hello(nonce: Uint8Array, holding: readonly HeldLease[] = []): Hello {
    const { joinToken = null, slots = 1 } = this.options;
    return {
      type: "hello",
      protocol: { version: protocolVersion, minimum: protocolMinimum },
      publicKey: this.publicKey,
      signature: sign(null, helloBytes(nonce, this.session), this.#privateKey),
      session: this.session,
      joinToken,
      capabilities: {
        kind: "native",
        software: "an attacker",
        platform: null,
        cpu: { model: null, cores: Math.max(1, slots) },
        ramBytes: null,
        wasm: { simd: true, threads: true },
        gpu: null,
        accelerators: [],
        engines: [],
      },
      preferences: { slots: { wasm: slots, webgpu: 0, native: 0 }, families: ["simulation"], name: null },
      holding: [...holding],
    };
  }

  /** A right and signed result of grains lo..hi of a lease; `lo` and `hi` are the lease's unless told. */
  result(lease: LeaseMessage, lo = lease.lo, hi = lease.hi): ResultMessage {
    const job = this.jobs.get(lease.job);
    if (!job) throw new Error("a lease came before its job");
    if (!("inline" in job.payload)) throw new Error("these jobs have no blobs");
    const payload = parse(job.payload.inline);
    const partials: Uint8Array[] = [];
    for (let grain = lo; grain < hi; grain++) {
      const tally = referenceTally(payload, ...grainTasks(job, grain));
      if (this.lying) tally.hits = tally.hits > 0n ? tally.hits - 1n : 1n;
      partials.push(encodeTally(payload, tally));
    }
    return this.sign({
      type: "result",
      seq: this.#seq++,
      lease: lease.lease,
      ticket: lease.ticket,
      job: lease.job,
      round: lease.round,
      leaseLo: lease.lo,
      leaseHi: lease.hi,
      lo,
      hi,
      backend: lease.backend,
      kernel: job.kernel,
      build: job.files["wasm-simd"]?.sha256 as string,
      partials: packPartials(partials),
      root: new Uint8Array(32),
      computeMs: 20,
      signature: new Uint8Array(64),
    });
  }

  /** The result with the root of its partials, and this node's signature over it as it stands. */
  sign(result: ResultMessage): ResultMessage {
    const rooted = { ...result, root: rootOf(result) };
    return { ...rooted, signature: sign(null, resultBytes(rooted), this.#privateKey) };
  }

  /** The same answer under another number of its own: the acknowledgement tells them apart. */
  renumbered(result: ResultMessage): ResultMessage {
    return this.sign({ ...result, seq: this.#seq++ });
  }

  /** As REST's `holding`: what a node says after a reconnect. */
  holds(lease: LeaseMessage): HeldLease {
    const { lease: id, ticket, job, round, lo, hi, backend } = lease;
    return { lease: id, ticket, job, round, lo, hi, backend, next: lo };
  }

  /** What the coordinator answered to a result: "acked", or the reason why it does not count. */
  async verdictOn(result: ResultMessage): Promise<string> {
    const reason = () => this.rejected.find(({ seq }) => seq === result.seq)?.reason;
    await this.until(() => this.acked.includes(result.seq) || reason() !== undefined, `no answer to ${result.seq}`);
    return reason() ?? "acked";
  }

  leave(): void {
    this.socket?.terminate();
  }

  #onFrame(bytes: Uint8Array, hello: boolean, holding: readonly HeldLease[]): void {
    for (const message of decodeFromCoordinator(bytes)) {
      this.heard.push(message);
      if (message.type === "welcome") this.#isWelcome = true;
      if (message.type === "challenge" && hello) this.send(this.hello(message.nonce, holding));
      else if (message.type === "job") this.jobs.set(message.job, message);
      else if (message.type === "revoke") {
        const heldMs = performance.now() - (this.#leasedAtMs.get(message.lease) ?? 0);
        this.revoked.push({ lease: message.lease, reason: message.reason, heldMs });
      } else if (message.type === "ack") {
        this.acked.push(...message.seqs);
        this.rejected.push(...message.rejected);
      } else if (message.type === "lease") {
        this.leases.push(message);
        this.#leasedAtMs.set(message.lease, performance.now());
        if (this.options.honest) this.#answer(message);
      }
    }
  }

  #answer(lease: LeaseMessage): void {
    const result = this.result(lease);
    this.sent.push(result);
    this.send(result);
  }
}

const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();

/** Of partials that are none, a root is no matter. */
function rootOf({ lo, partials }: ResultMessage): Uint8Array {
  try {
    return Uint8Array.from(resultRoot(lo, partials, sha256));
  } catch {
    return new Uint8Array(32);
  }
}
