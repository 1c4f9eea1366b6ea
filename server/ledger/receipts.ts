/**
 * Issues receipts: builds what a finished job's record says, signs it, and appends it to the chain. A receipt is made
 * when it is first asked for, and again only when there is something else to say: a revision, or the seal.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { GrainProof, ReceiptRange } from "../../protocol/ledger.ts";
import { limits } from "../../protocol/limits.ts";
import { grainLeaf, inclusionProof, inclusionProofs, merkleRoot } from "../../protocol/merkle.ts";
import { unpackPartials } from "../../protocol/partials.ts";
import type { Blobs } from "../blobs/blobs.ts";
import type { AuditRecord, ReceiptRecord } from "../store/ledger.ts";
import type { JobRecord, Store, Write } from "../store/store.ts";
import { canonical } from "./canonical.ts";
import type { CoordinatorKey } from "./key.ts";
import { contentOf, hex, type ReceiptContent, rangeLeaf, rangesOf, sha256, sha256Hex } from "./receipt.ts";

export interface ReceiptsPorts {
  store: Pick<Store, "rounds" | "results" | "partials" | "ledger">;
  blobs: Blobs;
  key: CoordinatorKey;
  coordinatorId: string;
  /** Makes writes durable. */
  written(writes: readonly Write[]): Promise<void>;
  /** The job's verification as its page shows it. */
  verification(job: string): Promise<Record<string, unknown>>;
  certificate(job: JobRecord): "complete" | "evidence" | "none";
  now(): number;
}

/** A receipt with more ranges is not made: some 40 MB of JSON. */
export const rangesMax = 65_536;
/** Up to here a receipt carries the proof of each of its ranges; longer ones are proved one by one. */
export const provedRangesMax = 1_024;
/** Ranges hashed before others have a turn. */
const turnRanges = 256;

export class ReceiptTooLarge extends Error {
  override name = "ReceiptTooLarge";
}

export const signedText = (statement: string): string => `queztl.receipt.v1\n${statement}`;

interface Built {
  content: ReceiptContent;
  ranges: ReceiptRange[];
  leaves: Uint8Array[];
}

export class Receipts {
  /** Receipts are issued one after the other, since each names the one before. */
  #issuing: Promise<unknown> = Promise.resolve();

  constructor(private readonly ports: ReceiptsPorts) {}

  get publicKey(): string {
    return this.ports.key.publicKey;
  }

  /** The receipt of a completed job as JSON text. Throws ReceiptTooLarge, StoreError. */
  async of(job: JobRecord): Promise<string> {
    const built = await this.#build(job);
    const issued = this.#issuing.then(
      () => this.#issue(job, built),
      () => this.#issue(job, built),
    );
    this.#issuing = issued;
    const record = await issued;
    return fileOf(record, await this.#rangesText(record));
  }

  /** The receipt with the one range that holds a grain, and its proof; null where none does. */
  async extract(job: JobRecord, round: number, grain: number): Promise<string | null> {
    const receipt = JSON.parse(await this.of(job)) as { ranges: { range: ReceiptRange }[] };
    const all = receipt.ranges.map(({ range }) => range);
    const index = all.findIndex((range) => range.round === round && range.lo <= grain && grain < range.hi);
    if (index < 0) return null;
    const proof = inclusionProof(all.map(rangeLeaf), index, sha256).map(hex);
    return JSON.stringify({ ...receipt, ranges: [{ index, range: all[index], proof }] });
  }

  /** A grain as its node answered it, for whoever doubts it; null where no result stands for it. */
  async grain(job: JobRecord, round: number, grain: number): Promise<GrainProof | null> {
    const { store } = this.ports;
    const results = await store.results(job.id, round);
    const range = rangesOf(results, new Map(), () => []).find(({ lo, hi }) => lo <= grain && grain < hi);
    if (!range) return null;
    const [[key], [packed]] = await Promise.all([
      store.ledger.nodeKeys([range.node_id]),
      store.partials([range.result]),
    ]);
    const { signed } = range;
    const partials = unpackPartials(packed as Uint8Array);
    const leaves = partials.map((partial, index) => grainLeaf(signed.lo + index, partial, sha256));
    return {
      type: "queztl.grain.v1",
      task_id: job.id,
      kernel: job.kernel,
      round,
      grain,
      result: range.result,
      node_id: range.node_id,
      public_key: hex(key?.publicKey ?? new Uint8Array(0)),
      signed,
      partial: hex(partials[grain - signed.lo] as Uint8Array),
      proof: inclusionProof(leaves, grain - signed.lo, sha256).map(hex),
    };
  }

  async #issue(job: JobRecord, { content, leaves, ranges }: Built): Promise<ReceiptRecord> {
    const { store, key, coordinatorId: node_id } = this.ports;
    const before = await store.ledger.receiptOf(job.id);
    if (before && saysTheSame(before, content)) return before;
    const last = await store.ledger.lastReceipt();
    const issuedAtMs = this.ports.now();
    const sequence = (last?.sequence ?? 0) + 1;
    const previous = last?.hash ?? null;
    const statement = canonical({
      ...content,
      type: "queztl.receipt.v1",
      coordinator: { node_id, public_key: key.publicKey },
      sequence,
      previous,
      issued_at: new Date(issuedAtMs).toISOString(),
    });
    const text = rangesText(ranges, leaves);
    const large = text.length > limits.inlineBytesMax;
    const receipt: ReceiptRecord = {
      sequence,
      job: job.id,
      revision: job.revision,
      final: content.final,
      hash: sha256Hex(statement),
      previous,
      statement,
      signature: key.sign(signedText(statement)),
      ranges: large ? null : text,
      // Durable before the receipt that names it.
      rangesBlob: large ? await this.ports.blobs.put(Buffer.from(text)) : null,
      issuedAtMs,
    };
    await this.ports.written([{ type: "receipt.append", receipt }]);
    return receipt;
  }

  async #build(job: JobRecord): Promise<Built> {
    const { store } = this.ports;
    const rounds = await store.rounds(job.id);
    const ranges: ReceiptRange[] = [];
    for (const { round } of rounds) {
      const results = await store.results(job.id, round);
      const nodes = await store.ledger.nodeKeys([...new Set(results.map(({ node }) => node))]);
      const keys = new Map(nodes.map(({ id, publicKey }) => [id, publicKey]));
      const audits = auditsBy(await store.ledger.audits(job.id, round));
      for (const range of rangesOf(results, keys, (result) => audits.get(result) ?? [])) ranges.push(range);
      if (ranges.length > rangesMax) throw new ReceiptTooLarge(`More than ${rangesMax} ranges.`);
    }
    const leaves: Uint8Array[] = [];
    for (const [index, range] of ranges.entries()) {
      leaves.push(rangeLeaf(range));
      if (index % turnRanges === turnRanges - 1) await nextTurn();
    }
    const content = contentOf({
      job,
      rounds,
      ranges,
      root: merkleRoot(leaves, sha256),
      verification: await this.ports.verification(job.id),
      certificate: this.ports.certificate(job),
    });
    return { content, ranges, leaves };
  }

  async #rangesText({ ranges, rangesBlob, sequence }: ReceiptRecord): Promise<string> {
    if (ranges !== null) return ranges;
    const bytes = rangesBlob === null ? null : await this.ports.blobs.get(rangesBlob);
    if (!bytes) throw new Error(`The ranges of receipt ${sequence} are gone: blob ${rangesBlob ?? "(none)"}.`);
    return new TextDecoder().decode(bytes);
  }
}

/** By the result that was audited. */
function auditsBy(records: readonly AuditRecord[]): Map<number, ReceiptRange["audits"]> {
  const found = new Map<number, ReceiptRange["audits"]>();
  for (const { result, node: node_id, atMs: _, ...audit } of records) {
    const audits = found.get(result) ?? [];
    audits.push({ ...audit, node_id });
    found.set(result, audits);
  }
  return found;
}

function rangesText(ranges: readonly ReceiptRange[], leaves: readonly Uint8Array[]): string {
  const proofs = leaves.length <= provedRangesMax ? inclusionProofs(leaves, sha256) : null;
  const entries = ranges.map((range, index) => ({ index, range, proof: proofs?.[index]?.map(hex) }));
  return JSON.stringify(entries);
}

/** The statement is signed as it stands; it is JSON, so it goes into the file as it is. */
const fileOf = ({ statement, hash, signature }: ReceiptRecord, ranges: string): string =>
  `{"statement":${statement},"hash":"${hash}","signature":"${hex(signature)}","ranges":${ranges}}`;

/** Whether a receipt issued before says all that there is to say now. */
function saysTheSame({ statement }: ReceiptRecord, content: ReceiptContent): boolean {
  const { type: _t, coordinator: _c, sequence: _s, previous: _p, issued_at: _i, ...before } = JSON.parse(statement);
  return canonical(before) === canonical(content);
}
