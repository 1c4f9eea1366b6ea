/**
 * A labelled Monte Carlo job for tabs that meet an idle grid, so that the first thing a volunteer sees is their own
 * real work. It is one job at a time, of the lowest priority and a submitter of its own; it gives way to everybody
 * else's jobs, and ends when no tab is there.
 */
import { randomBytes } from "node:crypto";
import type { JobView } from "../protocol/rest.ts";
import { type Grid, isFinal } from "./transport/grid.ts";
import { demoSubmitter } from "./views.ts";

export interface DemoJobOptions {
  grid: Pick<Grid, "submit" | "cancel" | "job" | "jobs" | "status">;
  now: () => number;
  log: (code: string, message: string) => void;
  /** Offer one although no tab is there, until this time: on the first start a tab is on its way. */
  expectedUntilMs: number;
}

/** How often it looks. Within this time after joining, a tab has work. */
export const lookMs = 500;
/** Without a tab for so long, the job ends. */
export const aloneMs = 60_000;
/** After jobs of others: whoever submits one after the other is not to meet a demo between them. */
export const restMs = 10_000;

/** Darts that one plain core throws in a second, about; only the job's length depends on it. */
const dartsPerCoreSecond = 2.5e8;
/** Long enough that the record of a day has a hundred of them, not thousands. */
const jobSeconds = 600;
const dartsMin = 1e10;
const dartsMax = 1e13;

export class DemoJob {
  #open: string | null = null;
  #adopted = false;
  #tabSeenMs = Number.NEGATIVE_INFINITY;
  #othersSeenMs = Number.NEGATIVE_INFINITY;
  #looking = false;
  #said = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: DemoJobOptions) {}

  start(): void {
    this.#timer = setInterval(() => void this.look(), lookMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks once, and does at most one thing. A refusal of the grid is tried again at the next look. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#look();
      this.#said = "";
    } catch (error) {
      const message = `The demo job waits: ${error instanceof Error ? error.message : String(error)}`;
      if (message !== this.#said) this.options.log("demo_job", message);
      this.#said = message;
    } finally {
      this.#looking = false;
    }
  }

  async #look(): Promise<void> {
    const { grid, now } = this.options;
    if (!this.#adopted) await this.#adopt();
    if (this.#open !== null) {
      const job = await grid.job(this.#open);
      if (job === null || isFinal(job.status)) this.#open = null;
    }
    const status = grid.status();
    const nowMs = now();
    if (status.nodes.some((node) => node.kind === "tab" && node.online)) this.#tabSeenMs = nowMs;
    const others = status.scheduler.pending_tasks + status.scheduler.active_tasks - (this.#open === null ? 0 : 1);
    if (others > 0) this.#othersSeenMs = nowMs;
    if (this.#open !== null) {
      if (others > 0) await this.#end("the demo, which gives way to other jobs");
      else if (!this.#isWanted(nowMs, aloneMs)) await this.#end("the demo, since no tab is there");
    } else if (others === 0 && nowMs - this.#othersSeenMs >= restMs && this.#isWanted(nowMs, 0)) {
      await this.#offer(status.registry.total_cpu_cores);
    }
  }

  /** `graceMs` is how long a tab may be gone. */
  #isWanted(nowMs: number, graceMs: number): boolean {
    return nowMs - this.#tabSeenMs <= graceMs || nowMs < this.options.expectedUntilMs;
  }

  /** One may be open in the record from before a restart; more than one never, whatever happened. */
  async #adopt(): Promise<void> {
    const { jobs } = await this.options.grid.jobs({ submitter: demoSubmitter, limit: 20 });
    const open = jobs.filter((job: JobView) => !isFinal(job.status));
    this.#open = open[0]?.task_id ?? null;
    for (const job of open.slice(1)) await this.options.grid.cancel(job.task_id, "the demo, which is one job only");
    this.#adopted = true;
  }

  async #offer(cores: number): Promise<void> {
    const darts = Math.min(dartsMax, Math.max(dartsMin, cores * jobSeconds * dartsPerCoreSecond));
    const { job } = await this.options.grid.submit({
      workload: "monte_carlo",
      payload: { iterations: Math.round(darts), seed: randomBytes(4).readUInt32LE() },
      priority: 1,
      submitter: demoSubmitter,
      idempotencyKey: null,
      bodyHash: "",
    });
    this.#open = job.task_id;
  }

  async #end(by: string): Promise<void> {
    if (this.#open !== null) await this.options.grid.cancel(this.#open, by);
    this.#open = null;
  }
}
