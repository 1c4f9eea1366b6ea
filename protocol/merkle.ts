/**
 * Merkle trees with the hashes of RFC 6962 (Certificate Transparency): a leaf is SHA-256(0x00 || data), an inner node
 * SHA-256(0x01 || left || right), and a tree of n leaves splits at the largest power of two below n. The prefixes keep
 * an inner node from being passed off as a leaf.
 *
 * A result's tree has one leaf for each grain, bound to the grain's index: so one signature stands for every grain of
 * the result, and any one of them can be shown later with some 32 bytes for each doubling of the result's length.
 */
import { limits } from "./limits.ts";
import { countPartials, eachPartial } from "./partials.ts";

/** SHA-256 of some bytes, now: the caller brings the fastest there is where it runs. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** Bytes of a hash. */
export const hashBytes = 32;

export function leafHash(data: Uint8Array, sha256: Sha256): Uint8Array {
  const bytes = new Uint8Array(1 + data.length);
  bytes.set(data, 1);
  return sha256(bytes);
}

export function nodeHash(left: Uint8Array, right: Uint8Array, sha256: Sha256): Uint8Array {
  const bytes = new Uint8Array(1 + 2 * hashBytes);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 1 + hashBytes);
  return sha256(bytes);
}

/** The leaf of one grain: its index (32 bits, big-endian) and its partial. */
export function grainLeaf(grain: number, partial: Uint8Array, sha256: Sha256): Uint8Array {
  const bytes = new Uint8Array(5 + partial.length);
  new DataView(bytes.buffer).setUint32(1, grain);
  bytes.set(partial, 5);
  return sha256(bytes);
}

/** Takes leaves one by one and holds no more than one hash for each doubling of their number. */
export class MerkleRoot {
  /** Roots of complete subtrees, the largest first; sizes fall strictly. */
  readonly #subtrees: { size: number; hash: Uint8Array }[] = [];

  constructor(private readonly sha256: Sha256) {}

  add(leaf: Uint8Array): void {
    let size = 1;
    let hash = leaf;
    for (let last = this.#subtrees.at(-1); last?.size === size; last = this.#subtrees.at(-1)) {
      hash = nodeHash(last.hash, hash, this.sha256);
      size *= 2;
      this.#subtrees.pop();
    }
    this.#subtrees.push({ size, hash });
  }

  /** Of the leaves so far; more may follow. The root of no leaves is the hash of nothing. */
  get root(): Uint8Array {
    let root: Uint8Array | null = null;
    for (let index = this.#subtrees.length - 1; index >= 0; index--) {
      const { hash } = this.#subtrees[index] as { hash: Uint8Array };
      root = root === null ? hash : nodeHash(hash, root, this.sha256);
    }
    return root ?? this.sha256(new Uint8Array(0));
  }
}

export function merkleRoot(leaves: Iterable<Uint8Array>, sha256: Sha256): Uint8Array {
  const tree = new MerkleRoot(sha256);
  for (const leaf of leaves) tree.add(leaf);
  return tree.root;
}

/** The root that a node signs: over the packed partials of grains from `lo` on. Throws RangeError on malformed ones. */
export const resultRoot = (lo: number, partials: Uint8Array, sha256: Sha256): Uint8Array =>
  resultRootInto(lo, partials, (bytes, into, at) => into.set(sha256(bytes), at));

/** As SHA-256, with the hash written to `into` at `at`: what checks many results makes no object for each hash. */
export type HashInto = (bytes: Uint8Array, into: Uint8Array, at: number) => void;

/**
 * `resultRoot`, level by level in one buffer. Neighbours are paired and an odd one is handed up as it is, which gives
 * the same tree as splitting at powers of two.
 */
export function resultRootInto(lo: number, partials: Uint8Array, hashInto: HashInto): Uint8Array {
  const count = countPartials(partials);
  if (count < 0) throw new RangeError("malformed packed partials");
  const level = new Uint8Array(Math.max(1, count) * hashBytes);
  if (count === 0) hashInto(new Uint8Array(0), level, 0);
  hashLeaves(lo, partials, hashInto, level);
  const pair = new Uint8Array(1 + 2 * hashBytes);
  pair[0] = 1;
  for (let size = count; size > 1; size = Math.ceil(size / 2)) {
    for (let index = 0; index + 1 < size; index += 2) {
      pair.set(level.subarray(index * hashBytes, (index + 2) * hashBytes), 1);
      hashInto(pair, level, (index / 2) * hashBytes);
    }
    if (size % 2 === 1) level.copyWithin(((size - 1) / 2) * hashBytes, (size - 1) * hashBytes, size * hashBytes);
  }
  return level.slice(0, hashBytes);
}

function hashLeaves(lo: number, partials: Uint8Array, hashInto: HashInto, level: Uint8Array): void {
  let leaf = new Uint8Array(0);
  let index = 0;
  for (const partial of eachPartial(partials)) {
    if (leaf.length !== 5 + partial.length) leaf = new Uint8Array(5 + partial.length);
    const grain = lo + index;
    leaf[1] = grain >>> 24;
    leaf[2] = grain >>> 16;
    leaf[3] = grain >>> 8;
    leaf[4] = grain;
    leaf.set(partial, 5);
    hashInto(leaf, level, index * hashBytes);
    index++;
  }
}

/** Hashes beside the way from a leaf to the root, from the leaf up. */
export function inclusionProof(leaves: readonly Uint8Array[], index: number, sha256: Sha256): Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) {
    throw new RangeError(`there is no leaf ${index} among ${leaves.length}`);
  }
  const proof: Uint8Array[] = [];
  let lo = 0;
  let hi = leaves.length;
  while (hi - lo > 1) {
    const middle = lo + splitOf(hi - lo);
    const [from, to] = index < middle ? [middle, hi] : [lo, middle];
    proof.push(merkleRoot(leaves.slice(from, to), sha256));
    if (index < middle) hi = middle;
    else lo = middle;
  }
  return proof.reverse();
}

/** The largest power of two below `size`, which is at least 2. */
const splitOf = (size: number): number => 2 ** (Math.ceil(Math.log2(size)) - 1);

/** The proofs of all leaves at once, each as `inclusionProof` makes it, in n log n steps. */
export function inclusionProofs(leaves: readonly Uint8Array[], sha256: Sha256): Uint8Array[][] {
  const proofs: Uint8Array[][] = leaves.map(() => []);
  const build = (lo: number, hi: number): Uint8Array => {
    if (hi - lo === 1) return leaves[lo] as Uint8Array;
    const middle = lo + splitOf(hi - lo);
    const left = build(lo, middle);
    const right = build(middle, hi);
    for (let index = lo; index < hi; index++) proofs[index]?.push(index < middle ? right : left);
    return nodeHash(left, right, sha256);
  };
  if (leaves.length > 0) build(0, leaves.length);
  return proofs;
}

/** Whether `leaf` is number `index` of the `size` leaves under `root`. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
  sha256: Sha256,
): boolean {
  if (!Number.isInteger(index) || index < 0 || index >= size || size > limits.jobGrainsMax) return false;
  // From the top: at each step the leaf lies in one of two parts, whose root the proof's next hash completes.
  const turns: boolean[] = [];
  let lo = 0;
  let hi = size;
  while (hi - lo > 1) {
    const middle = lo + splitOf(hi - lo);
    turns.push(index < middle);
    if (index < middle) hi = middle;
    else lo = middle;
  }
  if (turns.length !== proof.length) return false;
  let hash = leaf;
  for (const beside of proof) hash = turns.pop() ? nodeHash(hash, beside, sha256) : nodeHash(beside, hash, sha256);
  return hash.length === root.length && hash.every((byte, at) => byte === root[at]);
}
