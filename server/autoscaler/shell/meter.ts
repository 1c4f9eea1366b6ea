/** The spend meter: what each job has cost, what volunteers saved, and a line for each day. */
import { costs } from "../ledger.ts";
import type { InstanceRow } from "../model.ts";
import { dollarsBetween, dollarsOf, startOfDay } from "../spend.ts";
import { type DocumentWrite, put, type Records, rooms } from "./records.ts";

export interface Day {
  dollars: number;
  /** Of volunteers' accepted work, in core-seconds, and what it would have cost. */
  volunteerCoreSeconds: number;
  savedDollars: number;
}

export interface MeterInput {
  rows: ReadonlyMap<string, InstanceRow>;
  working: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Accepted core-seconds of each volunteer, as a figure that rises. */
  contributed: ReadonlyMap<string, number>;
  /** What a core-second costs where it is bought. */
  dollarsPerCoreSecond: number;
  /** Jobs that are open: costs of others are forgotten in time. */
  isOpen(job: string): boolean;
}

const jobsMax = 10_000;
const daysMax = 400;
const writeMs = 30_000;
const costsKey = "costs";
const nameOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

export class Meter {
  readonly jobs = new Map<string, number>();
  readonly days = new Map<string, Day>();
  readonly #contributed = new Map<string, number>();
  #lastMs = 0;
  #writtenMs = 0;

  async load(records: Records): Promise<void> {
    const [state, days] = await Promise.all([records.documents(rooms.state), records.documents(rooms.days)]);
    this.jobs.clear();
    this.days.clear();
    const kept = state.find(({ key }) => key === costsKey);
    for (const [job, dollars] of kept ? (JSON.parse(kept.value) as [string, number][]) : [])
      this.jobs.set(job, dollars);
    for (const { key, value } of days) this.days.set(key, JSON.parse(value) as Day);
  }

  look(input: MeterInput, nowMs: number): void {
    const today = this.#day(nowMs);
    if (this.#lastMs > 0 && nowMs > this.#lastMs) this.#shareOut(input, this.#lastMs, nowMs);
    this.#lastMs = nowMs;
    for (const [node, coreSeconds] of input.contributed) {
      const before = this.#contributed.get(node) ?? coreSeconds;
      this.#contributed.set(node, coreSeconds);
      // A figure that fell was taken back; what it saved is taken back with it.
      today.volunteerCoreSeconds = Math.max(0, today.volunteerCoreSeconds + coreSeconds - before);
      today.savedDollars = Math.max(0, today.savedDollars + (coreSeconds - before) * input.dollarsPerCoreSecond);
    }
    for (const node of this.#contributed.keys()) if (!input.contributed.has(node)) this.#contributed.delete(node);
    today.dollars = dollarsBetween(input.rows.values(), startOfDay(nowMs), nowMs);
  }

  today(nowMs: number): Day {
    return this.#day(nowMs);
  }

  total(): Day {
    const sum: Day = { dollars: 0, volunteerCoreSeconds: 0, savedDollars: 0 };
    for (const day of this.days.values()) {
      sum.dollars += day.dollars;
      sum.volunteerCoreSeconds += day.volunteerCoreSeconds;
      sum.savedDollars += day.savedDollars;
    }
    return sum;
  }

  /** What is due to be written: costs and the day, from time to time. */
  takeWrites(nowMs: number): DocumentWrite[] {
    if (nowMs - this.#writtenMs < writeMs) return [];
    this.#writtenMs = nowMs;
    const name = nameOf(nowMs);
    return [put(rooms.days, name, this.days.get(name) ?? null), put(rooms.state, costsKey, [...this.jobs])];
  }

  /** An instance's cost goes to the jobs that it computes for, by their leases; while it is idle, to none. */
  #shareOut({ rows, working, isOpen }: MeterInput, fromMs: number, toMs: number): void {
    for (const row of rows.values()) {
      const jobs = row.node !== null && costs(row) ? working.get(row.node) : undefined;
      if (!jobs) continue;
      const dollars = dollarsOf(row, fromMs, toMs);
      if (dollars <= 0) continue;
      let leases = 0;
      for (const count of jobs.values()) leases += count;
      for (const [job, count] of jobs) this.#charge(job, (dollars * count) / leases);
    }
    if (this.jobs.size <= jobsMax) return;
    for (const job of this.jobs.keys()) {
      if (this.jobs.size <= jobsMax) return;
      if (!isOpen(job)) this.jobs.delete(job);
    }
  }

  #charge(job: string, dollars: number): void {
    this.jobs.set(job, (this.jobs.get(job) ?? 0) + dollars);
  }

  #day(nowMs: number): Day {
    const name = nameOf(nowMs);
    let day = this.days.get(name);
    if (!day) {
      day = { dollars: 0, volunteerCoreSeconds: 0, savedDollars: 0 };
      this.days.set(name, day);
      if (this.days.size > daysMax) this.days.delete([...this.days.keys()].sort()[0] as string);
    }
    return day;
  }
}
