/** What the autoscaler's shell is given: the grid, the record, the provider, time, and the figures it goes by. */
import type { CoreState } from "../../core/state.ts";
import type { Clock } from "../clock.ts";
import type { CloudProvider } from "../cloud/provider.ts";
import type { Observation, PolicyName, Target } from "../model.ts";
import type { Settings } from "../settings.ts";
import type { DocumentWrite, Records } from "./records.ts";
import type { Timing } from "./upkeep.ts";

export interface ScalerGrid {
  state(): CoreState;
  /** Whether nodes are on record that have not come back since the start. */
  awaitsNodes(): boolean;
  /** The node gets no new work, or gets it again. */
  retire(node: string, retiring: boolean): void;
  /** Nobody pays for the job any more. */
  leaveToVolunteers(job: string): void;
}

export interface ArrivalPoint {
  atMs: number;
  /** Core-seconds per second. */
  arrived: number;
  expected: number | null;
  needed_rate: number;
  volunteer_rate: number;
  have: number;
}

export interface Arrivals {
  load(records: Records): Promise<void>;
  /** What is due to be written. */
  takeWrites(): DocumentWrite[];
  /** What came, beside what had been expected, oldest first. */
  points(): ArrivalPoint[];
  /** Told of each look; `arrived`: core-seconds of paid work that came since the last. */
  observe(look: { atMs: number; arrived: number; neededRate: number; volunteerRate: number; have: number }): void;
  /** What will arrive over the lead time, beyond what is queued. */
  expect(nowMs: number, leadMs: number): Observation["arrivals"];
}

export interface ScalerOptions {
  provider: CloudProvider;
  clock: Clock;
  records: Records;
  grid: ScalerGrid;
  /** Keyed by a secret that is stable over restarts. */
  mac(text: string): string;
  /** Eight or more unpredictable characters of [a-z0-9]. */
  random(): string;
  /** Tag of everything that this grid launches: [a-z0-9-], at most 40 characters. */
  cluster: string;
  /** Where instances reach the coordinator. */
  coordinatorUrl(): string;
  policy: PolicyName;
  target: Target;
  settings: Settings;
  timing: Timing;
  /** Dollars of a core-second that volunteers save, where the provider itself sends no bill. */
  dollarsPerCoreSecond: number;
  arrivals?: Arrivals;
  log(code: string, message: string): void;
}
