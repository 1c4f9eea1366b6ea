/** The coordinator's side: recomputes every share with the system's own SHA-256, and reports the hit. */
import { createHash } from "node:crypto";
import { defineHost } from "../../contract.ts";
import { decodePartial, SHARES_MAX, type Share } from "./layout.ts";
import { indexOf, type MiningPayload, rangeOf, shareTargetOf, targetOf } from "./payload.ts";

/** A nonce with its hash. */
export interface Hashed extends Share {
  /** As block explorers show it: most significant digit first. */
  hash: string;
}

export interface SearchPartial {
  searched: number;
  /** Shares in all. */
  count: number;
  /** The first of them, at most as many as a partial lists. */
  shares: Share[];
  best: Hashed | null;
  /** The first hit of the range. */
  hit: Hashed | null;
}

export interface SearchResult {
  found: boolean;
  nonce: number | null;
  /** As the submitter puts it between prefix and suffix: hexadecimal, most significant byte first. */
  extranonce: string | null;
  hash: string | null;
  /** The whole header, 80 bytes, with the nonce that hits. */
  header: string | null;
  target: string;
  /** Nonces that verified results searched. */
  hashes: number;
  /** Hashes at most the share target: the evidence that the range was searched. */
  shares: number;
  share_target: string;
  /** The smallest hash among the shares, hit or not. */
  best: { nonce: number; extranonce: string | null; hash: string } | null;
}

const sha256d = (bytes: Uint8Array): Buffer =>
  createHash("sha256").update(createHash("sha256").update(bytes).digest()).digest();

const extranonceBytes = (payload: MiningPayload, extranonce: number): string | null =>
  payload.coinbase ? extranonce.toString(16).padStart(2 * payload.coinbase.extranonce_bytes, "0") : null;

/** The 80 bytes that are hashed. Shares no code with the kernels. */
export function headerOf(payload: MiningPayload, { extranonce, nonce }: Share): Buffer {
  const header = Buffer.alloc(80);
  header.write(payload.header.slice(0, 152), "hex");
  if (payload.coinbase) {
    const { prefix, suffix } = payload.coinbase;
    let root = sha256d(Buffer.from(prefix + extranonceBytes(payload, extranonce) + suffix, "hex"));
    for (const hash of payload.merkle_branch ?? []) root = sha256d(Buffer.concat([root, Buffer.from(hash, "hex")]));
    root.copy(header, 36);
  }
  header.writeUInt32LE(nonce, 76);
  return header;
}

/** Hash of a header, most significant byte first. */
export const hashOf = (header: Uint8Array): string => sha256d(header).reverse().toString("hex");

const hexOf = (value: bigint): string => value.toString(16).padStart(64, "0");

/** Of equal length, so that their order as texts is that of the numbers. */
const smaller = (a: Hashed | null, b: Hashed | null): Hashed | null => (!a || (b && b.hash < a.hash) ? b : a);

export default defineHost<MiningPayload, SearchPartial, SearchResult>({
  decode(payload, bytes) {
    const { searched, shares } = decodePartial(bytes);
    const target = hexOf(targetOf(payload));
    let best: Hashed | null = null;
    let hit: Hashed | null = null;
    for (const share of shares) {
      const hashed = { ...share, hash: hashOf(headerOf(payload, share)) };
      best = smaller(best, hashed);
      if (hashed.hash <= target) hit ??= hashed;
    }
    return { searched, count: shares.length, shares, best, hit };
  },

  check(payload, _round, lo, hi, { searched, shares }) {
    const [first, end] = rangeOf(payload, lo, hi);
    const limit = hexOf(shareTargetOf(payload));
    let next = first;
    for (const share of shares) {
      const index = indexOf(payload, share.extranonce, share.nonce);
      const name = `nonce ${share.nonce} of extranonce ${share.extranonce}`;
      if (index < first || index >= end) return `${name} is not in the range`;
      if (index < next) return `${name} is out of order`;
      if (hashOf(headerOf(payload, share)) > limit) return `${name} is no share: its hash is above the share target`;
      next = index + 1;
    }
    const due = shares.length === SHARES_MAX ? next - first : end - first;
    return searched === due ? null : `${searched} nonces are said to be searched, and ${due} are due`;
  },

  merge: (a, b) => ({
    searched: a.searched + b.searched,
    count: a.count + b.count,
    shares: [...a.shares, ...b.shares].slice(0, SHARES_MAX),
    best: smaller(a.best, b.best),
    hit: a.hit ?? b.hit,
  }),

  enough: (_payload, { hit }) => hit !== null,
  enoughOn: "any",

  preview: (_payload, { searched, count, best, hit }) => ({
    hashes: searched,
    shares: count,
    best_hash: best?.hash ?? null,
    found: hit !== null,
  }),

  finish(payload, { searched, count, best, hit }) {
    return {
      found: hit !== null,
      nonce: hit?.nonce ?? null,
      extranonce: hit && extranonceBytes(payload, hit.extranonce),
      hash: hit?.hash ?? null,
      header: hit && headerOf(payload, hit).toString("hex"),
      target: hexOf(targetOf(payload)),
      hashes: searched,
      shares: count,
      share_target: hexOf(shareTargetOf(payload)),
      best: best && { nonce: best.nonce, extranonce: extranonceBytes(payload, best.extranonce), hash: best.hash },
    };
  },
});
