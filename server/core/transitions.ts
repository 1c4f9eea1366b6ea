/**
 * The three small machines of the grid. Every change of a grain range, a lease or a standing passes
 * through here; a pair that is not in its table throws with the story of what happened before.
 */

export const grainTransitions = {
  /** Cut into a slice. */
  open: ["leased", "candidate", "provisional", "confirmed", "cooling"],
  /** Waits after a failure, or after a restart for nodes to say what they hold. */
  cooling: ["open", "leased", "candidate", "provisional", "confirmed"],
  /** With a node; comes back when the lease ends, or is covered by a result. */
  leased: ["open", "cooling", "candidate", "provisional", "confirmed", "leased"],
  /** Covered by a result that no verdict was passed on. */
  candidate: ["provisional", "confirmed", "open"],
  /** Covered by a result that rests on its node's word until that is tested. */
  provisional: ["confirmed", "open"],
  /** Open again when its result is taken back. */
  confirmed: ["open"],
} as const satisfies Record<string, readonly string[]>;
export type GrainState = keyof typeof grainTransitions;

export const leaseTransitions = {
  issued: ["running", "ended"],
  running: ["running", "ended"],
  ended: [],
} as const satisfies Record<string, readonly string[]>;
export type LeaseState = keyof typeof leaseTransitions;

export const standingTransitions = {
  candidate: ["confirmed", "rejected", "provisional"],
  provisional: ["confirmed", "rejected", "retracted"],
  confirmed: ["sealed", "retracted"],
  sealed: [],
  rejected: [],
  retracted: [],
} as const satisfies Record<string, readonly string[]>;
export type StandingState = keyof typeof standingTransitions;

const tables = { grain: grainTransitions, lease: leaseTransitions, standing: standingTransitions };

export class InvalidTransition extends Error {
  override name = "InvalidTransition";
}

/** Throws InvalidTransition, with the story, unless `from -> to` is in the table. */
export function assertTransition(
  table: keyof typeof tables,
  from: string,
  to: string,
  what: string,
  story: readonly string[] = [],
): void {
  const next = (tables[table] as Record<string, readonly string[]>)[from];
  if (!next?.includes(to)) {
    throw new InvalidTransition(
      `${table} ${what}: ${from} -> ${to} is not allowed; story: ${story.join(" | ") || "(none)"}`,
    );
  }
}
