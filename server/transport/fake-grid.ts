/** A grid without nodes, for tests of the HTTP side: jobs move when the test says so. */

import { createHash } from "node:crypto";
import type {
  FeedEvent,
  JobEvent,
  JobList,
  JobState,
  JobView,
  NetworkStatus,
  NodeView,
  WorkloadType,
} from "../../protocol/rest.ts";
import { MemoryBlobs } from "../blobs/memory.ts";
import type { KeyRecord } from "../store/store.ts";
import { Uploads, uploadLimitsDefault } from "../uploads/uploads.ts";
import { fakeJob, fakeStatus, fakeTypes } from "./fake-views.ts";
import {
  type Grid,
  GridError,
  type GridHealth,
  isFinal,
  type JobOutput,
  type JobQuery,
  type NumberedFeedEvent,
  type NumberedJobEvent,
  type SubmitRequest,
  type Submitted,
  type Unsubscribe,
} from "./grid.ts";
import type { GridReceipts, GridVolunteers } from "./ledger.ts";

interface Kept {
  job: JobView;
  output: unknown;
  bodyHash: string;
  events: NumberedJobEvent[];
  listeners: Set<(event: NumberedJobEvent) => void>;
}

export class FakeGrid implements Grid {
  readonly kept = new Map<string, Kept>();
  readonly kernels = new Map<string, Uint8Array>();
  readonly files = new MemoryBlobs();
  readonly uploads = new Uploads({
    ...uploadLimitsDefault,
    bytesMax: 1_000_000,
    blobs: this.files,
    documents: async () => [],
    written: async () => {},
    inUse: () => new Set(),
    freeBytes: async () => 2 ** 40,
    now: Date.now,
  });
  readonly blobs = new MemoryBlobs();
  readonly feeds = new Set<(numbered: NumberedFeedEvent) => void>();
  /** Changes of the feed so far; all of them are kept. */
  readonly changes: NumberedFeedEvent[] = [];
  readonly keyRecords = new Map<string, KeyRecord>();
  /** Terms of what was submitted, in order. */
  readonly terms: SubmitRequest["terms"][] = [];
  /** What the next `submit` refuses with. */
  refuse: GridError | null = null;
  /** Events that a job keeps for those who resume. */
  eventsKept = 100;
  nodeViews: NodeView[] = [];
  /** Tokens of sessions that were said to be over; those that begin with "good" are right. */
  readonly departed: string[] = [];
  private readonly idempotent = new Map<string, string>();

  readonly keys = {
    list: (): readonly KeyRecord[] => [...this.keyRecords.values()],
    save: async (record: KeyRecord): Promise<void> => void this.keyRecords.set(record.id, record),
  };

  async submit(request: SubmitRequest): Promise<Submitted> {
    if (this.refuse !== null) throw this.refuse;
    const available = this.workloadTypes().map((type) => type.type);
    if (this.plannedWorkloads().includes(request.workload)) {
      throw new GridError("planned_workload", `"${request.workload}" has no kernel yet.`, { available });
    }
    if (!available.includes(request.workload)) {
      throw new GridError("unknown_workload", `There is no workload "${request.workload}".`, { available });
    }
    const errors = payloadErrors(request.payload);
    if (errors.length > 0) {
      throw new GridError("invalid_payload", errors[0]!.message, {
        field: errors[0]!.field,
        errors,
        remedy: "Correct it.",
      });
    }
    const name = request.idempotencyKey === null ? null : `${request.submitter} ${request.idempotencyKey}`;
    const before = name === null ? undefined : this.kept.get(this.idempotent.get(name) ?? "");
    if (before !== undefined) {
      if (before.bodyHash === request.bodyHash) return { job: before.job, replayed: true, estimatedCoreSeconds: 2 };
      throw new GridError("idempotency_mismatch", "The key was used with another body.", {
        field: "header Idempotency-Key",
      });
    }
    this.terms.push(request.terms);
    const job = fakeJob(`j${this.kept.size + 1}`, request);
    this.kept.set(job.task_id, { job, output: null, bodyHash: request.bodyHash, events: [], listeners: new Set() });
    if (name !== null) this.idempotent.set(name, job.task_id);
    this.emit(job.task_id, { event: "state", job });
    return { job, replayed: false, estimatedCoreSeconds: 2 };
  }

  async cancel(id: string): Promise<JobView | null> {
    const kept = this.kept.get(id);
    if (kept === undefined) return null;
    if (!isFinal(kept.job.status)) this.move(id, "cancelled");
    return kept.job;
  }

  async job(id: string): Promise<JobView | null> {
    return this.kept.get(id)?.job ?? null;
  }

  async jobs(query: JobQuery): Promise<JobList> {
    const all = [...this.kept.values()].map((kept) => kept.job).reverse();
    const from = query.cursor === undefined ? 0 : all.findIndex((job) => job.task_id === query.cursor);
    if (from < 0) throw new GridError("invalid_filter", "The cursor is none of ours.", { field: "query cursor" });
    const chosen = all
      .slice(from)
      .filter((job) => query.state === undefined || job.status === query.state)
      .filter((job) => query.workload === undefined || job.workload_type === query.workload)
      .filter((job) => query.submitter === undefined || job.submitter === query.submitter);
    return { jobs: chosen.slice(0, query.limit), next_cursor: chosen[query.limit]?.task_id ?? null };
  }

  async result(id: string): Promise<JobOutput | null> {
    const kept = this.kept.get(id);
    return kept === undefined ? null : { job: kept.job, output: kept.output };
  }

  depart(token: string): boolean {
    this.departed.push(token);
    return token.startsWith("good");
  }

  nodes(): NodeView[] {
    return this.nodeViews;
  }
  status(): NetworkStatus {
    return fakeStatus(
      this.nodeViews,
      [...this.kept.values()].map((kept) => kept.job),
    );
  }
  workloadTypes(): WorkloadType[] {
    return fakeTypes;
  }
  plannedWorkloads(): readonly string[] {
    return ["llm_inference", "image_processing"];
  }

  subscribeJob(id: string, after: number | null, listener: (event: NumberedJobEvent) => void): Unsubscribe {
    const kept = this.kept.get(id);
    if (kept === undefined) throw new Error(`no job ${id}`);
    const last = kept.events.at(-1);
    const oldest = kept.events[0]?.id ?? 1;
    if (after === null || after + 1 < oldest || after > (last?.id ?? 0)) {
      listener({ id: last?.id ?? 0, event: { event: "state", job: kept.job } });
    } else {
      for (const event of kept.events) if (event.id > after) listener(event);
    }
    kept.listeners.add(listener);
    return () => kept.listeners.delete(listener);
  }

  /** Tells all feeds of a change. */
  change(event: FeedEvent): void {
    const numbered = { id: this.changes.length + 1, event };
    this.changes.push(numbered);
    for (const feed of this.feeds) feed(numbered);
  }

  subscribeFeed(after: number | null, listener: (numbered: NumberedFeedEvent) => void): Unsubscribe {
    const jobs = [...this.kept.values()].map((kept) => kept.job);
    if (after !== null && after <= this.changes.length) for (const each of this.changes.slice(after)) listener(each);
    else listener({ id: this.changes.length, event: { event: "snapshot", status: this.status(), jobs } });
    this.feeds.add(listener);
    return () => this.feeds.delete(listener);
  }

  /** For tests: receipts by job. */
  readonly receiptTexts = new Map<string, string>();
  readonly receipts: GridReceipts = {
    key: async () => ({ coordinator: "c", public_key: "ab".repeat(32), head: { sequence: 1, hash: "cd".repeat(32) } }),
    receipt: async (job, at) => (at === null || at.grain < 10 ? (this.receiptTexts.get(job) ?? null) : null),
    grain: async (job, round, grain) => (grain < 10 ? ({ task_id: job, round, grain } as never) : null),
    chain: async (after) =>
      after > 0 ? [] : [{ sequence: 1, hash: "cd".repeat(32), previous: null, issued_at: "now" }],
  };

  /** For tests: one volunteer, and what was asked of it. */
  readonly told: unknown[] = [];
  readonly volunteers: GridVolunteers = {
    leaderboard: async (limit) => ({ ...fakePaydays, volunteers: [fakeVolunteer].slice(0, limit), teams: [] }),
    volunteer: async (id) => (id === fakeVolunteer.volunteer_id ? { ...fakeVolunteer, ...fakePaydays } : null),
    postings: async (id) => (id === fakeVolunteer.volunteer_id ? { volunteer_id: id, postings: [fakePosting] } : null),
    state: async (id, body, caller) => {
      this.told.push({ id, body, caller });
      return { ...fakeVolunteer, ...fakePaydays };
    },
    erase: async (id) => {
      this.told.push({ erase: id });
      return id === fakeVolunteer.volunteer_id;
    },
  };

  async kernelFile(sha256: string): Promise<Uint8Array | null> {
    return this.kernels.get(sha256) ?? null;
  }
  health(): GridHealth {
    return { status: "ok", reasons: [], uptime: 1.5, version: "1.2.0" };
  }

  /** For tests: a file and a blob under its hash. */
  /** What was added here is everybody's. */
  shelfOf(sha256: string): "blobs" | "files" | null {
    return this.uploads.isPublic(sha256) ? "files" : "blobs";
  }

  addFile(bytes: Uint8Array): string {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.kernels.set(sha256, bytes);
    void this.blobs.put(bytes);
    return sha256;
  }

  /** For tests: moves a job on, with an event. */
  move(id: string, status: JobState, fraction = 0, output: unknown = null): void {
    const kept = this.kept.get(id)!;
    kept.job = { ...kept.job, status, preview: { fraction }, progress: { ...kept.job.progress, fraction } };
    kept.output = output;
    this.emit(id, { event: "state", job: kept.job });
  }

  emit(id: string, event: JobEvent): void {
    const kept = this.kept.get(id)!;
    const numbered = { id: (kept.events.at(-1)?.id ?? 0) + 1, event };
    kept.events.push(numbered);
    if (kept.events.length > this.eventsKept) kept.events.shift();
    for (const listener of [...kept.listeners]) listener(numbered);
  }
}

const fakePaydays = { as_of: "2026-01-01T00:00:00.000Z", next_payday: "2026-01-01T00:10:00.000Z" };
export const fakeVolunteer = {
  volunteer_id: "0123456789abcdef",
  name: "Ada",
  team: null,
  core_seconds: 12.5,
  rank: 1,
  postings: 1,
};
const fakePosting = {
  work: 7,
  kind: "grant" as const,
  task_id: "j1",
  core_seconds: 12.5,
  counted_at: fakePaydays.as_of,
};

function payloadErrors(payload: unknown): { field: string; message: string }[] {
  if (typeof payload !== "object" || payload === null) return [{ field: "payload", message: "must be an object" }];
  const { iterations } = payload as { iterations?: unknown };
  const wrong = iterations !== undefined && !(Number.isInteger(iterations) && Number(iterations) > 0);
  return wrong ? [{ field: "payload.iterations", message: "must be a whole number above 0" }] : [];
}
