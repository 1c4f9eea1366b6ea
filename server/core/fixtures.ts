/**
 * A toy workload for the tests of the core and for the simulator. What a grain computes is derived from the
 * payload's seed, and merging is associative but not commutative: an output tells whether every grain
 * was counted exactly once, in order.
 */
import * as z from "zod";
import { grainsOf, grainTasks, type Host, type Workload } from "../../kernels/contract.ts";

export interface ToyPayload {
  seed: number;
  grains: number;
  /** Core-seconds of a grain. */
  cost: number;
  rounds: number;
  certificate: "complete" | "evidence" | "none";
  output: "reduce" | "rows";
  /** `enough` holds once this many grains are verified from the first on; 0: never. */
  enoughGrains: number;
  backends: ("wasm" | "webgpu" | "native")[];
  engines: string[];
}

export const toyDefaults: ToyPayload = {
  seed: 1,
  grains: 10,
  cost: 1,
  rounds: 1,
  certificate: "none",
  output: "reduce",
  enoughGrains: 0,
  backends: ["wasm"],
  engines: [],
};

/** What a run of grains amounts to: an order-sensitive hash that concatenates. */
export interface ToyMerged {
  lo: number;
  hi: number;
  hash: number;
  power: number;
}

const base = 0x01000193;

/** The true value of a grain: 32 bits. */
export function toyValue(seed: number, round: number, grain: number): number {
  let x =
    Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(grain + 1, 0xc2b2ae35) ^ Math.imul(round + 1, 0x27d4eb2f);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return (x ^ (x >>> 15)) >>> 0;
}

/** A grain's partial: its number and its value, little-endian. */
export function toyPartial(seed: number, round: number, grain: number, lie = false): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, grain, true);
  view.setUint32(4, (toyValue(seed, round, grain) ^ (lie ? 0x5a5a5a5a : 0)) >>> 0, true);
  return bytes;
}

/** What the job must give: the output of its last round, computed without the grid. */
export function toyOracle(payload: ToyPayload): string {
  const round = payload.rounds - 1;
  let merged = toyHost.decode(payload, toyPartial(payload.seed, round, 0));
  for (let grain = 1; grain < grainsInRound(payload, round); grain++) {
    merged = toyHost.merge(merged, toyHost.decode(payload, toyPartial(payload.seed, round, grain)));
  }
  return JSON.stringify(toyHost.finish(payload, merged));
}

/** Later rounds are shorter, so that a mix-up of rounds shows. */
export function grainsInRound(payload: ToyPayload, round: number): number {
  return Math.max(1, payload.grains - 3 * round);
}

export const toyWorkload: Workload<ToyPayload> = {
  type: "toy",
  title: "Toy",
  summary: "For tests.",
  family: { id: "toys", title: "Toys", summary: "For tests.", optIn: false },
  examples: [],
  payload: z.any(),
  plan: (payload) => ({
    tasks: payload.grains,
    grainTasks: 1,
    needs: { backends: payload.backends, memoryBytes: 1 << 20, engines: payload.engines },
    output: payload.output,
  }),
  task: (_payload, _round, index) => index,
  cost: (payload, lo, hi) => ({ operations: (hi - lo) * payload.cost * 1e6, bytes: 0 }),
  opsPerCoreSecond: 1e6,
  belief: (payload) => ({
    kind: "exact",
    certificate: payload.certificate,
    disagreement: (a, b) => (a.length === b.length && a.every((byte, at) => byte === b[at]) ? null : "bytes differ"),
  }),
  params: () => new Uint8Array(),
  calibration: toyDefaults,
};

export const toyHost: Host<ToyPayload, ToyMerged, unknown> = {
  decode(_payload, partial) {
    if (partial.length !== 8) throw new Error(`a toy partial has 8 bytes, not ${partial.length}`);
    const view = new DataView(partial.buffer, partial.byteOffset, 8);
    const lo = view.getUint32(0, true);
    return { lo, hi: lo + 1, hash: view.getUint32(4, true) | 0, power: base };
  },
  merge(a, b) {
    if (a.hi !== b.lo) throw new Error(`[${a.lo},${a.hi}) and [${b.lo},${b.hi}) are not neighbours`);
    return { lo: a.lo, hi: b.hi, hash: (Math.imul(a.hash, b.power) + b.hash) | 0, power: Math.imul(a.power, b.power) };
  },
  enough: (payload, merged) => payload.enoughGrains > 0 && merged.hi - merged.lo >= payload.enoughGrains,
  next: (payload, round) =>
    round + 1 < payload.rounds ? { tasks: grainsInRound(payload, round + 1), grainTasks: 1, input: null } : null,
  finish: (_payload, merged) => ({ lo: merged.lo, hi: merged.hi, hash: merged.hash }),
};

/** As `toyHost`, with a certificate: the check knows the truth of the first grain of what it is shown, or of all. */
export const toyHostWithCheck: Host<ToyPayload, ToyMerged, unknown> = {
  ...toyHost,
  check: (payload, round, lo, _hi, partial) =>
    partial.hash === (toyValue(payload.seed, round, lo) | 0) || payload.certificate === "none" ? null : "wrong value",
};

export { grainsOf, grainTasks };
