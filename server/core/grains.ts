/** Moves grains of a job between open, cooling, leased and covered. Every move is checked against the table. */
import { dropCheckpoint } from "./checkpoints.ts";
import type { Range } from "./ranges.ts";
import type { CoreState, Job, Result } from "./state.ts";
import { assertTransition, InvalidTransition, type StandingState } from "./transitions.ts";
import { syncRunnable } from "./turns.ts";

/** open -> leased. */
export function cutGrains(state: CoreState, job: Job, lo: number, hi: number, lease: string): void {
  if (!job.open.has(lo, hi)) {
    throw new InvalidTransition(
      `grains [${lo},${hi}) of job ${job.id} are not open; story: ${job.story.tell(lo, hi).join(" | ")}`,
    );
  }
  job.open.remove(lo, hi);
  job.story.add("leased", lo, hi, lease);
  syncRunnable(state, job);
}

/** Grains that wait out a failure, or a restart, are taken over by a lease or a result. */
export function unwait(job: Job, lo: number, hi: number): void {
  job.open.remove(lo, hi);
  if (job.cooling.length === 0) return;
  const kept: typeof job.cooling = [];
  for (const wait of job.cooling) {
    if (wait.hi <= lo || wait.lo >= hi) {
      kept.push(wait);
      continue;
    }
    if (wait.lo < lo) kept.push({ ...wait, hi: lo });
    if (wait.hi > hi) kept.push({ ...wait, lo: hi });
  }
  job.cooling = kept;
}

/** leased or covered -> open, or -> cooling until `untilMs`. */
export function reopenGrains(
  state: CoreState,
  job: Job,
  ranges: readonly Range[],
  untilMs: number | null,
  why: string,
): void {
  for (const [lo, hi] of ranges) {
    if (lo >= hi) continue;
    if (job.open.within(lo, hi).length > 0) {
      throw new InvalidTransition(
        `grains [${lo},${hi}) of job ${job.id}: open -> open (${why}); story: ${job.story.tell(lo, hi).join(" | ")}`,
      );
    }
    job.story.add(why, lo, hi, untilMs ?? "");
    if (untilMs === null) job.open.add(lo, hi);
    else job.cooling.push({ lo, hi, untilMs });
  }
  state.workVersion++;
  syncRunnable(state, job);
}

/** Lets waiting grains whose time has come be cut again. */
export function thawGrains(state: CoreState, job: Job, now: number): void {
  if (job.cooling.length === 0) return;
  const ready = job.cooling.filter((wait) => wait.untilMs <= now);
  if (ready.length === 0) return;
  job.cooling = job.cooling.filter((wait) => wait.untilMs > now);
  for (const wait of ready) job.open.add(wait.lo, wait.hi);
  state.workVersion++;
  syncRunnable(state, job);
}

/** open, cooling or leased -> covered by `result`. The ranges must be uncovered. */
export function coverGrains(state: CoreState, job: Job, ranges: readonly Range[], result: Result): void {
  // An own node has tried it: from now on it is for volunteers too.
  if (job.triedFirst && job.confirmedGrains === 0 && result.standing === "confirmed") state.workVersion++;
  for (const [lo, hi] of ranges) {
    unwait(job, lo, hi);
    job.coverage.cover(lo, hi, result.id);
    if (state.checkpoints.size > 0) for (let grain = lo; grain < hi; grain++) dropCheckpoint(state, job, grain);
    job.story.add(result.standing, lo, hi, result.id);
    count(job, result.standing, hi - lo);
  }
  syncRunnable(state, job);
}

/** Grains by what their results stand at. */
export function count(job: Job, standing: StandingState, grains: number): void {
  if (standing === "confirmed") job.confirmedGrains += grains;
  else if (standing === "provisional") job.provisionalGrains += grains;
  else job.candidateGrains += grains;
}

/** candidate or provisional -> confirmed. Returns what the result stands for. */
export const confirmGrains = (job: Job, result: Result): Range[] => raise(job, result, "confirmed");

/** candidate -> provisional. Returns what the result stands for. */
export const provideGrains = (job: Job, result: Result): Range[] => raise(job, result, "provisional");

function raise(job: Job, result: Result, to: "provisional" | "confirmed"): Range[] {
  const from = result.standing;
  move(job, result, to);
  const ranges = job.coverage.of(result.lo, result.hi, result.id);
  for (const [lo, hi] of ranges) {
    count(job, from, lo - hi);
    count(job, to, hi - lo);
    job.story.add(to, lo, hi, result.id);
  }
  return ranges;
}

function move(job: Job, result: Result, to: StandingState): void {
  const { standing, lo, hi } = result;
  assertTransition("standing", standing, to, `result ${result.id}`, job.story.tell(lo, hi));
  result.standing = to;
}

/** candidate -> rejected, or what counted -> retracted: what the result stood for is open again. Returns the grains. */
export function dropGrains(state: CoreState, job: Job, result: Result): number {
  const from = result.standing;
  move(job, result, from === "candidate" ? "rejected" : "retracted");
  const ranges = job.coverage.uncover(result.lo, result.hi, result.id);
  const grains = ranges.reduce((sum, [lo, hi]) => sum + hi - lo, 0);
  count(job, from, -grains);
  // A lease that is still out over the same grains will bring them; only the rest is cut again.
  reopenGrains(state, job, unleased(state, job, ranges), null, result.standing);
  return grains;
}

/** The parts of `ranges` that no live lease of the job will bring. */
export function unleased(state: CoreState, job: Job, ranges: readonly Range[]): Range[] {
  let rest = ranges.filter(([lo, hi]) => lo < hi);
  for (const id of job.leases) {
    if (rest.length === 0) break;
    const lease = state.leases.get(id);
    if (!lease || lease.audit !== null) continue;
    rest = rest.flatMap(([lo, hi]) => subtract([lo, hi], [lease.next, lease.hi]));
  }
  return rest;
}

function subtract([lo, hi]: Range, [from, to]: Range): Range[] {
  if (from >= to || to <= lo || from >= hi) return [[lo, hi]];
  const parts: Range[] = [];
  if (lo < from) parts.push([lo, from]);
  if (to < hi) parts.push([to, hi]);
  return parts;
}
