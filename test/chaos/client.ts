/** Someone outside who submits jobs, tries again when nobody answers, and remembers every 202. */
import type { JobResult, JobView, NetworkStatus } from "../../protocol/rest.ts";
import { sleep, until } from "./processes.ts";

export interface Acknowledged {
  key: string;
  id: string;
  body: JobBody;
}

export interface JobBody {
  workload_type: string;
  payload: unknown;
  priority?: number;
}

export interface Refusal {
  status: number;
  problem: { type: string; detail: string; remedy?: string };
}

const answerMsMax = 5_000;

export class Client {
  /** Every submission that was answered 202, by idempotency key. */
  readonly acknowledged = new Map<string, Acknowledged>();
  /** Submissions without an answer until now. */
  pending = 0;
  /** Requests that got no answer, for the report. */
  unanswered = 0;
  /** Answers 503, in order. */
  readonly refusals: Refusal[] = [];
  /** Keys that were acknowledged with two jobs: always a defect. */
  readonly doubled: string[] = [];
  #next = 0;
  #gaveUp = false;

  constructor(private readonly url: () => string) {}

  /** Submissions that are not acknowledged yet are not tried again. */
  giveUp(): void {
    this.#gaveUp = true;
  }

  /** Tries until it is acknowledged, with one idempotency key. Throws for an answer that trying again cannot mend. */
  async submit(body: JobBody, tryMs = 120_000): Promise<Acknowledged> {
    const key = `key-${this.#next++}`;
    this.pending++;
    try {
      return await until(
        () => {
          if (this.#gaveUp) throw new Error(`submission ${key} was given up`);
          return this.attempt(key, body);
        },
        tryMs,
        () => `submission ${key} is not acknowledged`,
      );
    } finally {
      this.pending--;
    }
  }

  /** One request; null where it was refused for now, or nobody answered. */
  async attempt(key: string, body: JobBody): Promise<Acknowledged | null> {
    const answer = await this.request("/api/v1.2/workload/submit", {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify(body),
    });
    if (answer === null) return null;
    if (answer.status === 503) {
      this.refusals.push({ status: 503, problem: answer.body as Refusal["problem"] });
      return null;
    }
    if (answer.status !== 202) throw new Error(`submit answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    const { task_id: id } = answer.body as { task_id: string };
    const before = this.acknowledged.get(key);
    if (before && before.id !== id) this.doubled.push(key);
    const acknowledged = { key, id, body };
    this.acknowledged.set(key, acknowledged);
    return acknowledged;
  }

  /** Null while nobody answers, or the answer is 503. Throws for any other failure, such as 404. */
  async get<T>(path: string): Promise<T | null> {
    const answer = await this.request(path);
    if (answer === null || answer.status === 503) return null;
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  }

  status(): Promise<NetworkStatus | null> {
    return this.get("/api/v1.2/network/status");
  }

  /** The output of a job, once it is completed. */
  async output(id: string, ms: number): Promise<Record<string, unknown>> {
    let last: JobView | null = null;
    await until(
      async () => {
        last = await this.get<JobView>(`/api/v1.2/workload/${id}`);
        if (last && !["queued", "running", "completed"].includes(last.status))
          throw new Error(`job ${id} is ${last.status}: ${JSON.stringify(last.reasons)}`);
        return last?.status === "completed";
      },
      ms,
      () => `job ${id} is ${JSON.stringify(last)}`,
    );
    const result = await until(
      () => this.get<JobResult>(`/api/v1.2/workload/${id}/result`),
      ms,
      () => `no result of ${id}`,
    );
    return result.result as Record<string, unknown>;
  }

  /** One request; null where nobody answered within 5 s. */
  async request(path: string, init: RequestInit = {}): Promise<{ status: number; body: unknown } | null> {
    try {
      const response = await fetch(this.url() + path, { ...init, signal: AbortSignal.timeout(answerMsMax) });
      return { status: response.status, body: await response.json() };
    } catch {
      // Refused, reset, cut off in the middle of the answer, or too late: the request may have been carried out or not.
      this.unanswered++;
      await sleep(20);
      return null;
    }
  }
}
