/**
 * What is known of an identity. Trust is earned by audits that passed and lost by one that did not; it outlives
 * the node's connection and, in the record, the coordinator.
 */
import type { Backend } from "../../protocol/messages.ts";
import type { CoreState, Job } from "./state.ts";

export interface Trust {
  node: string;
  /** Where it last connected from. */
  network: string;
  /** Results taken from it. */
  results: number;
  /** Of those, audited and right, since one was wrong. */
  passed: number;
  /** Audited grains of its, over its life. */
  rightGrains: number;
  wrongGrains: number;
  /** Audited grains that were right, since one was wrong. */
  streak: number;
  /** Results with a single wrong grain: what a flipped bit looks like. By kernel and backend. */
  faults: Map<string, number>;
  /** Kernels and backends it gets no more work for. */
  benched: Set<string>;
  /** Kernels and backends of which a result of its passed. */
  proven: Set<string>;
  /** Others whose results agreed with its. */
  cosigners: Set<string>;
  banned: { reason: string; atMs: number } | null;
  /** What it answered until then is not believed: when it was last proven wrong. */
  taintedAtMs: number | null;
  /** It has left, and what rests on its word in open jobs is being audited. */
  left: boolean;
}

/** As the record keeps it. */
export interface TrustRecord {
  node: string;
  network: string;
  results: number;
  passed: number;
  rightGrains: number;
  wrongGrains: number;
  streak: number;
  faults: Record<string, number>;
  benched: string[];
  proven: string[];
  cosigners: string[];
  banned: { reason: string; atMs: number } | null;
  taintedAtMs: number | null;
}

/** Co-signers remembered of one identity: the latest. */
const cosignersMax = 64;

export const kernelKey = (job: Job, backend: Backend): string => `${job.workload.type}/${backend}`;

export function trustOf(state: CoreState, node: string): Trust {
  let trust = state.trust.get(node);
  if (!trust) {
    trust = {
      node,
      network: "",
      results: 0,
      passed: 0,
      rightGrains: 0,
      wrongGrains: 0,
      streak: 0,
      faults: new Map(),
      benched: new Set(),
      proven: new Set(),
      cosigners: new Set(),
      banned: null,
      taintedAtMs: null,
      left: false,
    };
    state.trust.set(node, trust);
  }
  return trust;
}

export const isBanned = (state: CoreState, node: string): boolean => state.trust.get(node)?.banned != null;

/** Newcomers, and whoever was wrong lately, are audited on all that they do. */
export const isTrusted = (state: CoreState, trust: Trust): boolean => trust.passed >= state.config.newcomerAudits;

/** Grains that a slice for this identity may have at most. */
export function sliceGrainsFor(state: CoreState, node: string): number {
  const trust = state.trust.get(node);
  return state.config.newcomerGrains[trust?.results ?? 0] ?? Number.POSITIVE_INFINITY;
}

/** A result of the identity passed its audits. */
export function earn(state: CoreState, node: string, kernel: string): void {
  const trust = trustOf(state, node);
  trust.passed++;
  trust.proven.add(kernel);
  state.changedTrust.add(node);
}

export function cosign(state: CoreState, one: string, other: string): void {
  for (const [a, b] of [
    [one, other],
    [other, one],
  ] as const) {
    const { cosigners } = trustOf(state, a);
    cosigners.delete(b);
    cosigners.add(b);
    if (cosigners.size > cosignersMax) cosigners.delete(cosigners.values().next().value as string);
    state.changedTrust.add(a);
  }
}

export function trustRecord(trust: Trust): TrustRecord {
  const { left: _, faults, benched, proven, cosigners, ...rest } = trust;
  return {
    ...rest,
    faults: Object.fromEntries(faults),
    benched: [...benched],
    proven: [...proven],
    cosigners: [...cosigners],
  };
}

/** After a restart, before any job is put back. */
export function restoreTrust(state: CoreState, records: readonly TrustRecord[]): void {
  for (const record of records) {
    const { faults, benched, proven, cosigners, ...rest } = record;
    state.trust.set(record.node, {
      ...rest,
      faults: new Map(Object.entries(faults)),
      benched: new Set(benched),
      proven: new Set(proven),
      cosigners: new Set(cosigners),
      left: false,
    });
    if (record.banned) state.totals.bannedNodes++;
  }
}
