/** From a submission to a durable job: checked, its own code tried, its payload kept; once for each idempotency key. */
import { randomUUID } from "node:crypto";
import { limits } from "../../protocol/limits.ts";
import type { KernelFiles } from "../../protocol/messages.ts";
import type { JobView } from "../../protocol/rest.ts";
import type { Catalog } from "../catalog.ts";
import { GridError, type SubmitRequest, type Submitted } from "../transport/grid.ts";
import type { Engine } from "./engine.ts";
import type { ReadableStore } from "./readable.ts";
import { planOf, validateSubmission } from "./submissions.ts";

export interface Admitted {
  /** In place of what was submitted: with what the coordinator found out of it. */
  payload: unknown;
  /** Where a job brings its own; else the workload's. */
  kernel?: string;
  files?: KernelFiles;
}

/** Takes a parsed payload in. Rejects with GridError. */
export type Admission = (payload: unknown, submitter: string) => Promise<Admitted>;

export interface AcceptancePorts {
  engine: Engine;
  record: ReadableStore;
  catalog: Catalog;
  /** By workload: what jobs' own code must pass. */
  admissions?: ReadonlyMap<string, Admission>;
  /** Why volunteers get a kernel no more; null where they may. */
  quarantined(kernel: string): string | null;
  job(id: string): Promise<JobView | null>;
}

export class Acceptance {
  /** Submissions with an idempotency key that are under way, by submitter and key. */
  readonly #submitting = new Map<string, Promise<void>>();

  constructor(private readonly ports: AcceptancePorts) {}

  async submit(request: SubmitRequest): Promise<Submitted> {
    this.ports.engine.assertServing();
    const { idempotencyKey } = request;
    if (idempotencyKey === null) return this.#accept(request);
    const name = `${request.submitter}\n${idempotencyKey}`;
    // Of requests with one key that come at the same time the first is accepted, and the others see it.
    while (this.#submitting.has(name)) await this.#submitting.get(name);
    const submission = (async () => (await this.#replay(request, idempotencyKey)) ?? this.#accept(request))();
    this.#submitting.set(
      name,
      submission.then(
        () => {},
        () => {},
      ),
    );
    try {
      return await submission;
    } finally {
      this.#submitting.delete(name);
    }
  }

  async #accept(request: SubmitRequest): Promise<Submitted> {
    if (this.ports.engine.state.jobs.size >= this.ports.engine.state.config.openJobsMax) {
      throw new GridError("overloaded", `${this.ports.engine.state.jobs.size} jobs are open, the most there may be.`, {
        remedy: "Wait until some have ended.",
        retryAfterSeconds: 30,
      });
    }
    const { entry, verification, ...given } = validateSubmission(this.ports.catalog, request);
    const admit = this.ports.admissions?.get(entry.workload.type);
    const admitted = admit ? await admit(given.payload, request.submitter) : given;
    const { payload, kernel, files } = { kernel: entry.kernel, files: entry.files, ...admitted };
    const fault = this.ports.quarantined(kernel);
    if (fault !== null && request.terms?.placement !== "own") {
      throw new GridError("invalid_payload", `This code failed before, on a node of the grid's own. ${fault}`, {
        field: "payload",
        remedy: 'Correct it, or submit it with "placement": "own".',
      });
    }
    // What was found out of the code tells how it is cut.
    const plan = planOf(entry, payload);
    const payloadJson = JSON.stringify(payload);
    const large = payloadJson.length > limits.inlineBytesMax;
    const payloadBlob = large ? await this.ports.engine.putBlob(new TextEncoder().encode(payloadJson)) : null;
    const id = randomUUID();
    await this.ports.engine.submit({
      type: "submit",
      job: {
        id,
        submitter: request.submitter,
        workload: entry.workload,
        payload,
        payloadBlob,
        priority: request.priority,
        kernel,
        files,
        hasCheck: entry.hasCheck,
        ...(request.terms ? { terms: request.terms } : {}),
        verification,
      },
      record: {
        payloadJson: large ? null : payloadJson,
        idempotencyKey: request.idempotencyKey,
        bodyHash: request.bodyHash,
        ...(request.webhook ? { webhook: request.webhook } : {}),
      },
    });
    const job = await this.ports.job(id);
    if (!job) throw new Error(`job ${id} was accepted and is gone`);
    const operations = entry.workload.cost(payload, 0, plan.tasks).operations;
    return { job, replayed: false, estimatedCoreSeconds: operations / entry.workload.opsPerCoreSecond };
  }

  async #replay(request: SubmitRequest, key: string): Promise<Submitted | null> {
    const record = await this.ports.record.jobByIdempotencyKey(request.submitter, key);
    if (!record) return null;
    if (record.bodyHash !== request.bodyHash) {
      throw new GridError("idempotency_mismatch", "This idempotency key was used with another body.", {
        field: "Idempotency-Key",
        remedy: "Use a new key for a new request.",
      });
    }
    const job = (await this.ports.job(record.id)) as JobView;
    const entry = this.ports.catalog.get(record.workload);
    const payload = record.payload === null ? null : JSON.parse(record.payload);
    const operations = entry && payload !== null ? entry.workload.cost(payload, 0, job.progress.tasks).operations : 0;
    return { job, replayed: true, estimatedCoreSeconds: operations / (entry?.workload.opsPerCoreSecond ?? 1) };
  }
}
