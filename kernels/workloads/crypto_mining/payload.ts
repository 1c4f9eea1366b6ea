/** What a researcher asks for: a block header, a range of nonces and a target; and what follows from the defaults. */
import * as z from "zod";
import { fromHex } from "./hex.ts";

/** Nonces of a task. */
export const TASK_NONCES = 2 ** 16;
export const NONCES_PER_EXTRANONCE = 2 ** 32;
/** With 2^20 grains of 2^26 nonces each, some ten seconds of one core. */
export const NONCES_MAX = 2 ** 46;
const GRAINS_MAX = 2 ** 20;
/** About a second of one core. */
const GRAIN_TASKS = 64;
/** About a tenth of a second of one core: cutting finer gains nothing. */
const GRAIN_TASKS_MIN = 2;
/** A short job is cut into this many grains, as far as they do not get too small, so that several nodes share it. */
const GRAINS_OF_SHORT_JOB = 1024;
/** Shares that a full grain is expected to hold. */
const SHARES_PER_GRAIN = 8;
const COINBASE_PART_BYTES_MAX = 4096;
const BRANCH_MAX = 32;
const SPACE = 1n << 256n;

const hex = (what: string) =>
  z.string(`${what}, as hexadecimal digits`).regex(/^([0-9a-fA-F]{2})*$/, `${what}, as pairs of hexadecimal digits`);
const whole = (what: string, min: number, max: number) =>
  z
    .number(`a whole number: ${what}`)
    .int(`a whole number: ${what}`)
    .min(min, `at least ${min}: ${what}`)
    .max(max, `at most ${max}: ${what}`);

const coinbaseSchema = z.strictObject({
  prefix: hex("the coinbase transaction before the extranonce").max(
    2 * COINBASE_PART_BYTES_MAX,
    `at most ${COINBASE_PART_BYTES_MAX} bytes`,
  ),
  suffix: hex("the coinbase transaction after the extranonce").max(
    2 * COINBASE_PART_BYTES_MAX,
    `at most ${COINBASE_PART_BYTES_MAX} bytes`,
  ),
  extranonce_bytes: whole("the size of the extranonce in bytes", 4, 8),
});

const shape = z.strictObject({
  header: z
    .string("the block header as hexadecimal digits")
    .regex(
      /^([0-9a-fA-F]{152}|[0-9a-fA-F]{160})$/,
      // What follows reads the header: it must not be reached with a bad one.
      {
        error: "the serialized block header: 160 hexadecimal digits (80 bytes), or 152 without the nonce",
        abort: true,
      },
    )
    .describe(
      "Serialized block header, 80 bytes as hex; its last 4 bytes, the nonce, are searched for and may be left out.",
    ),
  nonce_start: whole("the first nonce", 0, NONCES_PER_EXTRANONCE - 1)
    .optional()
    .describe("First nonce. Default 0."),
  nonces: whole("how many nonces to try; split longer searches into jobs by extranonce_start", 1, NONCES_MAX)
    .optional()
    .describe("Nonces to try. Default: all from nonce_start to 2^32. More than that needs coinbase and merkle_branch."),
  target: z
    .string("64 hexadecimal digits")
    .regex(/^[0-9a-fA-F]{64}$/, "64 hexadecimal digits, most significant first, as block explorers show hashes")
    .optional()
    .describe("A header whose hash, as a number, is at most this is a hit. Default: the target in the header's bits."),
  coinbase: coinbaseSchema
    .optional()
    .describe(
      "The coinbase transaction around its extranonce, as in Stratum: with it each extranonce has 2^32 nonces.",
    ),
  merkle_branch: z
    .array(
      z
        .string("64 hexadecimal digits")
        .regex(/^[0-9a-fA-F]{64}$/, "64 hexadecimal digits, in the byte order of Stratum"),
    )
    .max(BRANCH_MAX, `at most ${BRANCH_MAX} hashes`)
    .optional()
    .describe(
      "Hashes that the coinbase's is paired with on the way to the merkle root, as in Stratum. Needs coinbase.",
    ),
  extranonce_start: whole("the first extranonce", 0, 2 ** 32 - 1)
    .optional()
    .describe("First extranonce, with coinbase. Default 0."),
});

export type MiningPayload = z.infer<typeof shape>;

export const payloadSchema = shape.superRefine((payload, context) => {
  const complain = (field: keyof MiningPayload, message: string) =>
    context.addIssue({ code: "custom", path: [field], message });
  const start = payload.nonce_start ?? 0;
  if (!payload.coinbase) {
    if (payload.merkle_branch) complain("merkle_branch", "belongs to a coinbase: add coinbase, or leave it out");
    if (payload.extranonce_start !== undefined)
      complain("extranonce_start", "belongs to a coinbase: add coinbase, or leave it out");
    if (start + noncesOf(payload) > NONCES_PER_EXTRANONCE)
      complain(
        "nonces",
        `a header has 2^32 nonces, of which ${NONCES_PER_EXTRANONCE - start} are left from nonce_start on: ask for fewer, or add coinbase {prefix, suffix, extranonce_bytes} and merkle_branch, so that an extranonce changes the merkle root`,
      );
  } else {
    if (!payload.merkle_branch) complain("merkle_branch", "needed with coinbase; [] for a block of one transaction");
    const last = (payload.extranonce_start ?? 0) + Math.ceil((start + noncesOf(payload)) / NONCES_PER_EXTRANONCE);
    if (last > 2 ** 32)
      complain("nonces", "the extranonce would pass 2^32 - 1: ask for fewer, or lower extranonce_start");
  }
  if (payload.target === undefined && targetOfBits(payload) === null)
    complain("target", "the header's bits hold no target: give one, as 64 hexadecimal digits");
});

export const noncesOf = (payload: MiningPayload): number =>
  payload.nonces ?? NONCES_PER_EXTRANONCE - (payload.nonce_start ?? 0);

export const tasksOf = (payload: MiningPayload): number => Math.ceil(noncesOf(payload) / TASK_NONCES);

export function grainTasksOf(payload: MiningPayload): number {
  const tasks = tasksOf(payload);
  const shared = Math.max(GRAIN_TASKS_MIN, Math.ceil(tasks / GRAINS_OF_SHORT_JOB));
  return Math.max(Math.min(GRAIN_TASKS, shared), Math.ceil(tasks / GRAINS_MAX));
}

/** Nonces that tasks lo..hi try, counted from the job's first. */
export function rangeOf(payload: MiningPayload, lo: number, hi: number): [first: number, end: number] {
  return [lo * TASK_NONCES, Math.min(hi * TASK_NONCES, noncesOf(payload))];
}

/** Place of the job's `index`-th nonce. */
export function placeOf(payload: MiningPayload, index: number): { extranonce: number; nonce: number } {
  const at = (payload.nonce_start ?? 0) + index;
  const extranonce = Math.floor(at / NONCES_PER_EXTRANONCE);
  return { extranonce: (payload.extranonce_start ?? 0) + extranonce, nonce: at - extranonce * NONCES_PER_EXTRANONCE };
}

/** The inverse of `placeOf`; may lie outside of the job. */
export function indexOf(payload: MiningPayload, extranonce: number, nonce: number): number {
  const rows = extranonce - (payload.extranonce_start ?? 0);
  return rows * NONCES_PER_EXTRANONCE + nonce - (payload.nonce_start ?? 0);
}

/** The compact target in a header's bits (bytes 72..76), or null where they hold none in 1..2^256 - 1. */
function targetOfBits(payload: MiningPayload): bigint | null {
  const header = fromHex(payload.header);
  const bits = new DataView(header.buffer).getUint32(72, true);
  const exponent = bits >>> 24;
  const mantissa = BigInt(bits & 0x7fffff);
  if (bits & 0x800000) return null;
  const target = exponent <= 3 ? mantissa >> BigInt(8 * (3 - exponent)) : mantissa << BigInt(8 * (exponent - 3));
  return target > 0n && target < SPACE ? target : null;
}

/** A hash of at most this is a hit. */
export function targetOf(payload: MiningPayload): bigint {
  if (payload.target !== undefined) return BigInt(`0x${payload.target}`);
  const target = targetOfBits(payload);
  if (target === null) throw new Error("the header's bits hold no target");
  return target;
}

/** A hash of at most this is a share: about eight in a full grain, and every hit. */
export function shareTargetOf(payload: MiningPayload): bigint {
  const grain = Math.min(noncesOf(payload), grainTasksOf(payload) * TASK_NONCES);
  const easier = (SPACE * BigInt(SHARES_PER_GRAIN)) / BigInt(grain) - 1n;
  const hits = targetOf(payload);
  const either = easier > hits ? easier : hits;
  return either < SPACE ? either : SPACE - 1n;
}

/** Shares that a full grain is expected to hold: eight, or more where hits are frequent. */
export function sharesExpected(payload: MiningPayload): number {
  const grain = Math.min(noncesOf(payload), grainTasksOf(payload) * TASK_NONCES);
  return Number(((shareTargetOf(payload) + 1n) * BigInt(grain)) >> 192n) / 2 ** 64;
}
