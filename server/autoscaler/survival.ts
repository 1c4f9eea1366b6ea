/**
 * How probable it is that a volunteer who is here now is still here after a while. Sessions end at a rate that differs
 * between volunteers: with a gamma prior on each one's rate, the time to the next departure is Lomax distributed
 * (Lomax 1954), P(T > h) = (b / (b + h))^a, where a counts the departures seen and b the time online. The prior is what
 * all volunteers together do, at this hour of the day (UTC) as far as that hour has been seen.
 */

/** Weight of the pool against a volunteer's own past, in departures. */
const priorDepartures = 1;
/** Mean session until any was seen. */
const firstMeanMs = 20 * 60_000;
const hourMs = 3_600_000;
const volunteersMax = 50_000;

interface Past {
  departures: number;
  onlineMs: number;
}

export interface SurvivalState {
  volunteers: Map<string, Past>;
  /** By hour of the day, and in all. */
  hours: Past[];
  online: Map<string, number>;
  lastMs: number;
}

export const freshSurvival = (): SurvivalState => ({
  volunteers: new Map(),
  hours: Array.from({ length: 24 }, () => ({ departures: 0, onlineMs: 0 })),
  online: new Map(),
  lastMs: 0,
});

const hourOf = (ms: number): number => Math.floor((((ms / hourMs) % 24) + 24) % 24);

/** Takes in who is here now. Changed in place. */
export function watchVolunteers(state: SurvivalState, present: Iterable<string>, nowMs: number): void {
  const passedMs = state.lastMs > 0 ? Math.max(0, Math.min(hourMs, nowMs - state.lastMs)) : 0;
  state.lastMs = nowMs;
  const hour = state.hours[hourOf(nowMs)] as Past;
  const here = new Set(present);
  for (const node of [...state.online.keys()]) {
    const past = pastOf(state, node);
    if (here.has(node)) {
      past.onlineMs += passedMs;
      hour.onlineMs += passedMs;
    } else {
      past.departures++;
      hour.departures++;
      state.online.delete(node);
    }
  }
  for (const node of here) if (!state.online.has(node)) state.online.set(node, nowMs);
}

function pastOf(state: SurvivalState, node: string): Past {
  const known = state.volunteers.get(node);
  if (known) return known;
  const past = { departures: 0, onlineMs: 0 };
  if (state.volunteers.size >= volunteersMax) {
    const oldest = state.volunteers.keys().next().value;
    if (oldest !== undefined) state.volunteers.delete(oldest);
  }
  state.volunteers.set(node, past);
  return past;
}

/** Mean time online for each departure, at this hour: the hour's own figures beside a day's worth of all hours'. */
function meanMs(state: SurvivalState, nowMs: number): number {
  const all = { departures: 0, onlineMs: 0 };
  for (const hour of state.hours) {
    all.departures += hour.departures;
    all.onlineMs += hour.onlineMs;
  }
  const pool = (all.onlineMs + firstMeanMs) / (all.departures + 1);
  const hour = state.hours[hourOf(nowMs)] as Past;
  // Ten departures' worth of the pool, so that an hour that was hardly seen says little of its own.
  return (hour.onlineMs + 10 * pool) / (hour.departures + 10);
}

/** Probability that `node`, who is here, is still here `horizonMs` from now. */
export function survival(state: SurvivalState, node: string, horizonMs: number, nowMs: number): number {
  const past = state.volunteers.get(node) ?? { departures: 0, onlineMs: 0 };
  const shape = past.departures + priorDepartures;
  const scale = past.onlineMs + priorDepartures * meanMs(state, nowMs);
  return (scale / (scale + Math.max(0, horizonMs))) ** shape;
}
