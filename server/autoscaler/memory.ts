/** What decisions remember of the past. Lost at a restart, and learnt again: nothing here is needed to stay correct. */
import type { Levels } from "./idle.ts";
import type { Outcome } from "./model.ts";
import type { Settings } from "./settings.ts";

export interface Blocked {
  untilMs: number;
  forMs: number;
}

export interface ScalerMemory {
  lastMs: number;
  /** Nothing is ended on the word of a clock before then: it has jumped. */
  unsettledUntilMs: number;
  /** Instances wanted, within the window of scale-down. */
  wants: { atMs: number; nodes: number }[];
  /** How long instances were not wanted. */
  levels: Levels;
  /** Launches within the window of the rate limit. */
  launches: { atMs: number; count: number }[];
  /** Drains of busy instances within the last minute. */
  drains: { atMs: number; count: number }[];
  /** Offerings without capacity. */
  blocked: Map<string, Blocked>;
  /** The last orders: did they become nodes? */
  recent: boolean[];
  failuresInRow: number;
  breakerUntilMs: number;
  breakerForMs: number;
  /** The provider wants to be left alone. */
  throttledUntilMs: number;
  throttledForMs: number;
  bootMs: number[];
  /** Interruptions and hours run, by offering. */
  interruptions: Map<string, { count: number; hours: number }>;
}

const recentMax = 4;
const bootsMax = 64;
const offeringsMax = 2_000;

export const freshMemory = (): ScalerMemory => ({
  lastMs: 0,
  unsettledUntilMs: 0,
  wants: [],
  levels: [],
  launches: [],
  drains: [],
  blocked: new Map(),
  recent: [],
  failuresInRow: 0,
  breakerUntilMs: 0,
  breakerForMs: 0,
  throttledUntilMs: 0,
  throttledForMs: 0,
  bootMs: [],
  interruptions: new Map(),
});

/** Learns from what a call, or an instance, came to. */
export function learn(memory: ScalerMemory, outcome: Outcome, nowMs: number, settings: Settings): void {
  switch (outcome.type) {
    case "refused":
      if (outcome.code === "throttled") throttle(memory, nowMs, null);
      else block(memory, outcome.offering, nowMs, settings, outcome.code === "quota" || outcome.code === "invalid");
      return;
    case "launched":
      memory.throttledForMs = 0;
      return;
    case "failed":
      if (outcome.code === "throttled") throttle(memory, nowMs, outcome.retryAfterMs);
      else if (outcome.code !== "capacity" && outcome.code !== "unknown") failed(memory, nowMs, settings);
      return;
    case "registered":
      push(memory.recent, true, recentMax);
      push(memory.bootMs, outcome.bootMs, bootsMax);
      memory.failuresInRow = 0;
      memory.breakerForMs = 0;
      memory.breakerUntilMs = 0;
      memory.blocked.delete(outcome.offering);
      return;
    case "never_registered":
      failed(memory, nowMs, settings);
      return;
    case "interrupted": {
      const known = memory.interruptions.get(outcome.offering) ?? { count: 0, hours: 0 };
      if (memory.interruptions.size < offeringsMax || known.hours > 0) {
        memory.interruptions.set(outcome.offering, {
          count: known.count + 1,
          hours: known.hours + outcome.ranMs / 3_600_000,
        });
      }
      block(memory, outcome.offering, nowMs, settings, false);
      return;
    }
    default:
      outcome satisfies never;
  }
}

function failed(memory: ScalerMemory, nowMs: number, settings: Settings): void {
  push(memory.recent, false, recentMax);
  memory.failuresInRow++;
  if (memory.failuresInRow < settings.failuresMax) return;
  memory.breakerForMs = Math.min(settings.breakerMsMax, memory.breakerForMs * 2 || settings.breakerMs);
  memory.breakerUntilMs = nowMs + memory.breakerForMs;
}

function block(memory: ScalerMemory, offering: string, nowMs: number, settings: Settings, lasting: boolean): void {
  const known = memory.blocked.get(offering);
  if (!known && memory.blocked.size >= offeringsMax) return;
  // Refused again soon after it was tried again: the time doubles. A block long over counts as none.
  const again = known !== undefined && nowMs - known.untilMs < 2 * known.forMs;
  const forMs = lasting
    ? settings.blockedMsMax
    : Math.min(settings.blockedMsMax, again ? known.forMs * 2 : settings.blockedMs);
  memory.blocked.set(offering, { untilMs: nowMs + forMs, forMs });
}

function throttle(memory: ScalerMemory, nowMs: number, afterMs: number | null): void {
  memory.throttledForMs = Math.min(60_000, memory.throttledForMs * 2 || 2_000);
  memory.throttledUntilMs = nowMs + Math.max(afterMs ?? 0, memory.throttledForMs);
}

function push<T>(list: T[], item: T, max: number): void {
  list.push(item);
  if (list.length > max) list.shift();
}

/** The time from launch to hello that nine of ten instances kept; what the offerings say while that is unknown. */
export function bootMs(memory: ScalerMemory, stated: number): number {
  if (memory.bootMs.length < 3) return stated;
  const sorted = [...memory.bootMs].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * 0.9) - 1)] as number;
}

/** Half of the last orders became no node. */
export const isUnhealthy = (memory: ScalerMemory): boolean =>
  memory.recent.length >= recentMax && memory.recent.filter((ok) => !ok).length * 2 >= recentMax;

/** Notices a clock that jumped: back at all, or forward by more than ticks explain. True while it has not settled. */
export function watchClock(memory: ScalerMemory, nowMs: number): boolean {
  const ahead = nowMs - memory.lastMs;
  if (memory.lastMs > 0 && (ahead < -1_000 || ahead > 300_000)) {
    memory.unsettledUntilMs = nowMs + 60_000;
    for (const list of [memory.wants, memory.launches, memory.drains]) {
      for (const entry of list) entry.atMs += ahead;
    }
    for (const level of memory.levels) if (level.sinceMs !== null) level.sinceMs += ahead;
    memory.breakerUntilMs += memory.breakerUntilMs > 0 ? ahead : 0;
    memory.throttledUntilMs += memory.throttledUntilMs > 0 ? ahead : 0;
    for (const entry of memory.blocked.values()) entry.untilMs += ahead;
  }
  memory.lastMs = nowMs;
  return nowMs < memory.unsettledUntilMs;
}
