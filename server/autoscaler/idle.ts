/**
 * How long idle instances are kept: ski rental, level by level. The n-th instance, once idle, is either kept until it is
 * wanted again or given back and booted again then. How long it was unwanted in the past tells which is cheaper (Karlin,
 * Manasse, McGeoch and Owicki 1994; for idle machines Shahrad et al. 2020); until enough is known, it is kept for about
 * what booting it costs, which is never more than twice the best.
 */
import type { Settings } from "./settings.ts";

/** Of the n-th instance: since when it is not wanted, and for how long it was not before, the latest last. */
interface Level {
  sinceMs: number | null;
  gapsMs: number[];
}

/** By level, the first instance first. */
export type Levels = Level[];

/** Instances beyond are not kept. */
const levelsMax = 1_024;
const gapsMax = 32;
/** So many must be known. */
const gapsMin = 3;

/** `wanted` of `have` instances are wanted now. */
export function noteWanted(levels: Levels, wanted: number, have: number, nowMs: number): void {
  while (levels.length < Math.min(levelsMax, Math.max(wanted, have))) levels.push({ sinceMs: null, gapsMs: [] });
  levels.forEach((level, n) => {
    if (n >= wanted) {
      level.sinceMs ??= nowMs;
      return;
    }
    if (level.sinceMs === null) return;
    level.gapsMs.push(nowMs - level.sinceMs);
    if (level.gapsMs.length > gapsMax) level.gapsMs.shift();
    level.sinceMs = null;
  });
}

/** Of the instances that are there, those that are wanted or worth keeping. */
export function keptIdle(
  levels: Levels,
  wanted: number,
  have: number,
  nowMs: number,
  bootMs: number,
  settings: Settings,
): number {
  for (let level = Math.min(have, levelsMax); level > wanted; level--) {
    const unwantedMs = nowMs - (levels[level - 1]?.sinceMs ?? nowMs);
    if (unwantedMs < keptMs(known(levels, level), bootMs, settings)) return level;
  }
  return Math.min(wanted, have);
}

/** Gaps of a level, or of the next one below of which there are some: those of higher levels are no shorter. */
function known(levels: Levels, level: number): readonly number[] {
  for (let below = level; below > 0; below--) {
    const gaps = levels[below - 1]?.gapsMs ?? [];
    if (gaps.length >= gapsMin) return gaps;
  }
  return [];
}

/** The time of keeping that would have been cheapest in the past: idling costs its time, giving back a boot. */
export function keptMs(gapsMs: readonly number[], bootMs: number, settings: Settings): number {
  const { idleMs, idleMsMin, idleMsMax } = settings;
  if (gapsMs.length < gapsMin) return idleMs;
  let best = { keepMs: idleMs, cost: Number.POSITIVE_INFINITY };
  // Between two gaps a longer time only costs more, so that one of the gaps is the best, or the least.
  for (const keepMs of [idleMsMin, ...gapsMs.map((gapMs) => gapMs + 1)]) {
    if (keepMs > idleMsMax) continue;
    const cost = gapsMs.reduce((sum, gapMs) => sum + (gapMs < keepMs ? gapMs : keepMs + bootMs), 0);
    if (cost < best.cost) best = { keepMs, cost };
  }
  return Math.max(idleMsMin, best.keepMs);
}
