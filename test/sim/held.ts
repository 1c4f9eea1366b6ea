/** What a simulated node is, and what it tells of the leases that it holds. */
import type { HeldLease, LeaseMessage } from "../../protocol/messages.ts";

export interface NodeTraits {
  id: string;
  own: boolean;
  network: string;
  /** Core-seconds per second of a slot. */
  speed: number;
  slots: number;
  latencyMs: number;
  readerMs: number;
  liar: boolean;
  /** Probability that a result is wrong in all its grains; or, of `partly`, that any one grain is. */
  lies: number;
  partly: number;
  fails: number;
  forges: boolean;
}

export interface Held {
  message: LeaseMessage;
  next: number;
  /** Being computed: until when, and how many grains. */
  chunk: { from: number; until: number; grains: number } | null;
}

/** As in a heartbeat: grains done, and part of the current one. */
export function progressOf(
  { message, next, chunk }: Held,
  now: number,
): { lease: string; done: number; fraction: number } {
  const done = next - message.lo;
  if (!chunk) return { lease: message.lease, done, fraction: 0 };
  const part = Math.max(0, Math.min(0.999, (now - chunk.from) / (chunk.until - chunk.from))) * chunk.grains;
  return { lease: message.lease, done: done + Math.floor(part), fraction: part % 1 };
}

export function heldLease({ message, next }: Held): HeldLease {
  const { lease, ticket, job, round, lo, hi, backend } = message;
  return { lease, ticket, job, round, lo, hi, backend, next };
}

/** A lease that was never issued. */
export function forgedLease(number: number, job: string): HeldLease {
  const range = { lo: 0, hi: 5, next: 0, backend: "wasm" as const };
  return { lease: `forged.${number}`, ticket: "forged", job, round: 0, ...range };
}
