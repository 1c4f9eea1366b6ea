/** The bytes that cross between this workload and its kernels; all words are little-endian, hash words are numbers. */
import { fromHex, wordsOfNumber } from "./hex.ts";
import { type MiningPayload, noncesOf, shareTargetOf } from "./payload.ts";
import { compress, INITIAL, paddedTail, wordsOf } from "./sha256.ts";

/** A partial: nonces searched (64 bits), shares (32 bits), zero (32 bits); then extranonce and nonce of each share. */
const PARTIAL_HEAD_BYTES = 16;
/** Shares that fit a partial of 4 KiB. A grain with more ends at this one: `searched` then ends with it. */
export const SHARES_MAX = 510;

export interface Share {
  extranonce: number;
  nonce: number;
}

export interface Found {
  searched: number;
  /** In the order of the search: ascending extranonce, then nonce. */
  shares: Share[];
}

export function encodePartial({ searched, shares }: Found): Uint8Array {
  const bytes = new Uint8Array(PARTIAL_HEAD_BYTES + 8 * shares.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(searched), true);
  view.setUint32(8, shares.length, true);
  for (const [index, { extranonce, nonce }] of shares.entries()) {
    view.setUint32(PARTIAL_HEAD_BYTES + 8 * index, extranonce, true);
    view.setUint32(PARTIAL_HEAD_BYTES + 8 * index + 4, nonce, true);
  }
  return bytes;
}

/** Throws when the bytes are no partial. Whether its claims hold is for the certificate to say. */
export function decodePartial(bytes: Uint8Array): Found {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = bytes.length >= PARTIAL_HEAD_BYTES ? view.getUint32(8, true) : -1;
  if (
    count < 0 ||
    count > SHARES_MAX ||
    bytes.length !== PARTIAL_HEAD_BYTES + 8 * count ||
    view.getUint32(12, true) !== 0
  )
    throw new Error(`${bytes.length} bytes are no list of shares`);
  const searched = view.getBigUint64(0, true);
  if (searched > BigInt(Number.MAX_SAFE_INTEGER))
    throw new Error(`${searched} searched nonces are more than a job has`);
  const at = (index: number) => PARTIAL_HEAD_BYTES + 8 * index;
  const shares = Array.from({ length: count }, (_, index) => ({
    extranonce: view.getUint32(at(index), true),
    nonce: view.getUint32(at(index) + 4, true),
  }));
  return { searched: Number(searched), shares };
}

/** What is hashed ahead of a search with coinbase: the state after the whole blocks before the extranonce. */
interface Coinbase {
  midstate: number[];
  /** The rest, padded, with zeros for the extranonce. */
  tail: number[];
  /** Byte of `tail` at which the low 32 bits of the extranonce are added, most significant first. */
  at: number;
}

function coinbaseOf({ prefix, suffix, extranonce_bytes }: NonNullable<MiningPayload["coinbase"]>): Coinbase {
  const message = fromHex(prefix + "00".repeat(extranonce_bytes) + suffix);
  const low = prefix.length / 2 + extranonce_bytes - 4;
  const whole = Math.floor(low / 64) * 64;
  let midstate: number[] = [...INITIAL];
  for (let from = 0; from < whole; from += 64) midstate = compress(midstate, wordsOf(message.slice(from, from + 64)));
  return { midstate, tail: wordsOf(paddedTail(message, whole)), at: low - whole };
}

/** Words before the branch and the coinbase's blocks. */
export const PARAM_HEAD_WORDS = 56;

/**
 * Words of the parameters, the same for both kernels:
 *
 *    0      1 with coinbase, else 0
 *    1      first nonce                  2  first extranonce
 *    3, 4   nonces of the job, low and high
 *    5      hashes of the branch         6  blocks of the coinbase's tail     7  byte of the extranonce in it
 *    8..15  share target, most significant word first
 *   16..34  header without nonce, as big-endian words                        35  zero
 *   36..43  state after the coinbase's first blocks
 *   44..51  state after the header's first block (without coinbase)          52..55  zero
 *   56..    the branch, 8 words a hash; then the tail, 16 words a block
 */
export function paramsOf(payload: MiningPayload): Uint8Array {
  const coinbase = payload.coinbase ? coinbaseOf(payload.coinbase) : null;
  const branch = (payload.merkle_branch ?? []).flatMap((hash) => wordsOf(fromHex(hash)));
  const header = wordsOf(fromHex(payload.header).slice(0, 76));
  const nonces = noncesOf(payload);
  const words = [
    ...[coinbase ? 1 : 0, payload.nonce_start ?? 0, payload.extranonce_start ?? 0],
    ...[nonces % 2 ** 32, Math.floor(nonces / 2 ** 32)],
    ...[branch.length / 8, (coinbase?.tail.length ?? 0) / 16, coinbase?.at ?? 0],
    ...wordsOfNumber(shareTargetOf(payload)),
    ...header,
    0,
    ...(coinbase?.midstate ?? new Array<number>(8).fill(0)),
    ...compress(INITIAL, header.slice(0, 16)),
    ...[0, 0, 0, 0],
    ...branch,
    ...(coinbase?.tail ?? []),
  ];
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setUint32(4 * index, word, true);
  return bytes;
}
