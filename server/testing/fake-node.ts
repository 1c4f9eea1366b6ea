/** A node that speaks the real protocol to a coordinator in the same process, and computes the test's sums. */
import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import { grainTasks } from "../../kernels/contract.ts";
import { decodeFromCoordinator, encodeToCoordinator } from "../../protocol/codec.ts";
import { resultRoot } from "../../protocol/merkle.ts";
import type { CoordinatorMessage, JobDescription, LeaseMessage, NodeMessage } from "../../protocol/messages.ts";
import { packPartials } from "../../protocol/partials.ts";
import { helloBytes, resultBytes } from "../../protocol/sign.ts";
import { protocolMinimum, protocolVersion } from "../../protocol/version.ts";
import type { Coordinator } from "../coordinator.ts";
import { encodeSum, sumOf } from "./workload.ts";

export interface FakeNodeOptions {
  joinToken: string | null;
  slots?: number;
  /** Adds this to every sum. */
  lie?: number;
  /** Where it connects from. */
  address?: string;
  /** As an older or newer node says it. */
  protocol?: { version: number; minimum: number };
  /** Leases are kept, not computed. */
  idle?: boolean;
}

export class FakeNode {
  readonly heard: CoordinatorMessage[] = [];
  readonly acked: number[] = [];
  readonly leases: LeaseMessage[] = [];
  readonly #jobs = new Map<string, JobDescription>();
  readonly #privateKey: KeyObject;
  readonly #publicKey: Uint8Array;
  readonly #session = randomUUID();
  #connection: ReturnType<Coordinator["connect"]> = null;
  #seq = 1;
  closed = false;

  constructor(private readonly options: FakeNodeOptions) {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    this.#privateKey = privateKey;
    this.#publicKey = Buffer.from(publicKey.export({ format: "jwk" }).x as string, "base64url");
  }

  /** As the coordinator names it. */
  get id(): string {
    return createHash("sha256").update(this.#publicKey).digest("hex").slice(0, 16);
  }

  get publicKey(): string {
    return Buffer.from(this.#publicKey).toString("hex");
  }

  /** Hex, by the identity's key. */
  sign(text: string): string {
    return sign(null, Buffer.from(text), this.#privateKey).toString("hex");
  }

  join(coordinator: Coordinator): this {
    this.closed = false;
    this.#connection = coordinator.connect({
      // As over a network: what is sent arrives in a later turn.
      send: (bytes) => {
        const copy = Uint8Array.from(bytes);
        setImmediate(() => this.#onFrame(copy));
      },
      close: () => {
        this.closed = true;
        const connection = this.#connection;
        setImmediate(() => connection?.closed());
      },
      bufferedBytes: () => 0,
      ...(this.options.address === undefined ? {} : { address: this.options.address }),
    });
    return this;
  }

  leave(): void {
    this.#connection?.closed();
    this.#connection = null;
  }

  send(...messages: NodeMessage[]): void {
    this.#connection?.frame(encodeToCoordinator(messages));
  }

  /** Bytes as they are, for what breaks the protocol. */
  sendRaw(bytes: Uint8Array): void {
    this.#connection?.frame(bytes);
  }

  refusal(): Extract<CoordinatorMessage, { type: "refuse" }> | undefined {
    return this.heard.find((message) => message.type === "refuse");
  }

  #onFrame(bytes: Uint8Array): void {
    for (const message of decodeFromCoordinator(bytes)) {
      this.heard.push(message);
      if (message.type === "challenge") this.#hello(message.nonce);
      else if (message.type === "job") this.#jobs.set(message.job, message);
      else if (message.type === "ack") this.acked.push(...message.seqs);
      else if (message.type === "lease") {
        this.leases.push(message);
        if (!this.options.idle) this.compute(message);
      }
    }
  }

  #hello(nonce: Uint8Array): void {
    const { joinToken, slots = 2 } = this.options;
    this.send({
      type: "hello",
      protocol: this.options.protocol ?? { version: protocolVersion, minimum: protocolMinimum },
      publicKey: this.#publicKey,
      signature: sign(null, helloBytes(nonce, this.#session), this.#privateKey),
      session: this.#session,
      joinToken,
      capabilities: {
        kind: "native",
        software: "test",
        platform: null,
        cpu: { model: null, cores: slots },
        ramBytes: null,
        wasm: { simd: true, threads: true },
        gpu: null,
        accelerators: [],
        engines: [],
      },
      preferences: { slots: { wasm: slots, webgpu: 0, native: 0 }, families: ["tests"], name: null },
      holding: [],
    });
  }

  /** Computes a lease and sends its result. */
  compute(lease: LeaseMessage, tamper: (result: Extract<NodeMessage, { type: "result" }>) => void = () => {}): void {
    const job = this.#jobs.get(lease.job);
    if (!job) throw new Error("a lease came before its job");
    const partials: Uint8Array[] = [];
    for (let grain = lease.lo; grain < lease.hi; grain++) {
      const [lo, hi] = grainTasks(job, grain);
      partials.push(encodeSum(sumOf(lo, hi) + (this.options.lie ?? 0)));
    }
    const packed = packPartials(partials);
    const { lease: id, ticket, round, lo, hi, backend } = lease;
    const result: Extract<NodeMessage, { type: "result" }> = {
      type: "result",
      seq: this.#seq++,
      lease: id,
      ticket,
      job: lease.job,
      round,
      leaseLo: lo,
      leaseHi: hi,
      lo,
      hi,
      backend,
      kernel: job.kernel,
      build: job.files["wasm-simd"]?.sha256 as string,
      partials: packed,
      computeMs: 1,
      root: new Uint8Array(0),
      signature: new Uint8Array(0),
    };
    result.root = resultRoot(lo, packed, (bytes) => createHash("sha256").update(bytes).digest());
    result.signature = sign(null, resultBytes(result), this.#privateKey);
    tamper(result);
    this.send(result);
  }
}
