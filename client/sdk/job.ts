/** A job, by its id: from the process that submitted it, or from any other. */
import type { JobView } from "../../protocol/rest.ts";
import { jobEvents } from "./events.ts";
import type { Http } from "./http.ts";
import { GridProblem, invalidArgument } from "./problem.ts";
import { sleep } from "./retry.ts";
import type { CallOptions, JobReport, ProgressEvent, ProgressOptions } from "./types.ts";

/** Seconds for which the coordinator holds a question for the result; shorter while others wait for their turn. */
const waitSeconds = 30;
const waitSecondsCrowded = 1;
/** Longest pause between two questions for a result. */
const pauseSecondsMax = 10;

export class Job<Result = unknown> {
  readonly #http: Http;
  readonly #path: string;

  readonly id: string;

  /**
   * Made by `grid.submit` and `grid.job`.
   * @internal
   */
  constructor(http: Http, id: string) {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) {
      throw invalidArgument("id", `"${id}" is no id of a job`, "Use the id of a job handle, or the task_id of a job");
    }
    this.id = id;
    this.#http = http;
    this.#path = `/api/v1.2/workload/${id}`;
  }

  /** The result, as soon as the job is completed. Throws GridProblem: `job_failed`, `job_cancelled`, or any refusal. */
  async result(options: CallOptions = {}): Promise<Result> {
    return (await this.report(options)).result;
  }

  /** As `result`, with how it was verified. */
  async report({ signal }: CallOptions = {}): Promise<JobReport<Result>> {
    for (;;) {
      const asked = await this.#http.waits.run(
        (crowded) => this.#ask(crowded ? waitSecondsCrowded : waitSeconds, signal),
        signal,
      );
      if ("report" in asked) return asked.report;
      if (asked.pauseMs > 0) await sleep(asked.pauseMs, signal);
    }
  }

  /** The result if there is one already. Throws GridProblem, `job_not_finished` among them. */
  async resultNow({ signal }: CallOptions = {}): Promise<JobReport<Result>> {
    return (await this.#http.json<JobReport<Result>>({ path: `${this.#path}/result`, signal })).value;
  }

  async #ask(seconds: number, signal?: AbortSignal): Promise<{ report: JobReport<Result> } | { pauseMs: number }> {
    const path = `${this.#path}/result?wait=${seconds}`;
    const startMs = performance.now();
    try {
      const { value } = await this.#http.jsonNow<JobReport<Result>>({ path, waitMs: seconds * 1000, signal });
      return { report: value };
    } catch (error) {
      if (!(error instanceof GridProblem) || error.code !== "job_not_finished") throw error;
      // A coordinator with too many who wait answers at once: then the wait is ours.
      const early = performance.now() - startMs < seconds * 500;
      return { pauseMs: early ? Math.min(error.retryAfterSeconds ?? 2, pauseSecondsMax) * 1000 : 0 };
    }
  }

  /**
   * Events until the job's last, over any number of cut connections: `state`, `progress` and `partial` (what is known
   * so far). The loop may be left at any time; the job goes on.
   */
  progress(options: ProgressOptions = {}): AsyncGenerator<ProgressEvent, void, undefined> {
    return jobEvents(this.#http, `${this.#path}/events`, options);
  }

  /** A file that the job made, whole; its result lists them as `files`. Throws GridProblem. */
  file(name: string, { signal }: CallOptions = {}): Promise<Uint8Array> {
    return this.#http.bytes({ path: `${this.#path}/files/${encodeURIComponent(name)}`, signal });
  }

  async status({ signal }: CallOptions = {}): Promise<JobView> {
    return (await this.#http.json<JobView>({ path: this.#path, signal })).value;
  }

  /** Frees the job's nodes at once, and resolves with the job as it is then. One that has ended stays as it is. */
  async cancel({ signal }: CallOptions = {}): Promise<JobView> {
    return (await this.#http.json<JobView>({ method: "DELETE", path: this.#path, signal })).value;
  }
}
