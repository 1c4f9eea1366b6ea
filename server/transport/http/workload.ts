/** Jobs: submit, list, look at, cancel, fetch the result. */

import { limits } from "../../../protocol/limits.ts";
import {
  type JobView,
  jobListSchema,
  jobQuerySchema,
  jobResultSchema,
  jobViewSchema,
  resultQuerySchema,
  submitAnswerSchema,
  submitBodySchema,
} from "../../../protocol/rest.ts";
import { owns, type RequestFacts, reads } from "../../access/caller.ts";
import { sha256 } from "../../access/secrets.ts";
import { GridError, isFinal, type JobOutput } from "../grid.ts";
import { json } from "./api.ts";
import type { RouteDeps } from "./deps.ts";
import { workingCurl } from "./example.ts";
import { outputHeaders } from "./headers.ts";
import { HttpProblem, retryAfter } from "./problems.ts";
import { termsOf, webhookOf } from "./terms.ts";
import { submitAnswer, visibleJob } from "./views.ts";
import { Waiters } from "./waiters.ts";

const jobPath = "/api/v1.2/workload/{task_id}";

export function workloadRoutes(deps: RouteDeps): void {
  submitRoute(deps);
  readRoutes(deps);
  resultRoute(deps);
  filesRoute(deps);
  cancelRoute(deps);
}

function submitRoute(deps: RouteDeps): void {
  const { api, grid, access, publicUrl } = deps;
  api.route(
    {
      method: "post",
      path: "/api/v1.2/workload/submit",
      tag: "Work",
      summary: "Submit a job",
      description: "Accepted once it is durable. With an `Idempotency-Key` it is safe to send again.",
      scope: "submit",
      body: submitBodySchema,
      bodyBytesMax: limits.submitBytesMax,
      headers: { "Idempotency-Key": "1 to 128 visible characters; the same key with the same body is the same job." },
      answers: { 202: { description: "Accepted and durable.", schema: submitAnswerSchema } },
      problems: [
        "malformed_json",
        "invalid_header",
        "incomplete_body",
        "unauthenticated",
        "forbidden",
        "cross_site",
        "slow_body",
        "body_too_large",
        "not_json",
        "invalid_body",
        "invalid_payload",
        "unknown_workload",
        "idempotency_mismatch",
        "rate_limited",
        "too_many_failures",
        "planned_workload",
        "overloaded",
        "storage_unavailable",
        "shutting_down",
      ],
    },
    async ({ c, facts, body }) => {
      const caller = await access.require(facts, "submit");
      access.limitSubmissions(caller);
      const idempotencyKey = readIdempotencyKey(facts);
      const { value, bytes } = await body();
      const request = {
        workload: value.workload_type,
        payload: value.payload === undefined ? {} : value.payload,
        priority: value.priority,
        verification: value.verification,
        submitter: caller.id ?? "anonymous",
        idempotencyKey,
        bodyHash: sha256(bytes).toString("hex"),
        terms: await termsOf(deps, facts, caller, value),
        webhook: webhookOf(deps, value),
      };
      const submitted = await grid.submit(request).catch((error: unknown) => {
        if (!(error instanceof GridError) || !/^(?:unknown|planned)_workload$/.test(error.code)) throw error;
        const types = grid.workloadTypes();
        const available = error.details.available ?? types.map((type) => type.type);
        const example = workingCurl(types, facts, publicUrl, caller.kind);
        const remedy = error.details.remedy ?? "Submit one of the available types; the example works as it stands.";
        throw new HttpProblem(error.code, error.message, { field: "workload_type", remedy, available, example });
      });
      const answer = submitAnswer(submitted);
      const replay: Record<string, string> = submitted.replayed ? { "idempotent-replayed": "true" } : {};
      return json(c, 202, answer, { location: answer.links.self, ...replay });
    },
  );
}

function readRoutes({ api, grid, access }: RouteDeps): void {
  api.route(
    {
      method: "get",
      path: "/api/v1.2/workload",
      tag: "Work",
      summary: "List jobs, newest first",
      description: "Strangers see progress; payload and preview need the job's own key or the scope `read`.",
      query: jobQuerySchema,
      answers: { 200: { description: "A page of jobs.", schema: jobListSchema } },
      problems: ["invalid_query", "invalid_filter", "unauthenticated", "rate_limited"],
    },
    async ({ c, facts, query }) => {
      const caller = await access.caller(facts);
      const { workload_type: workload, ...rest } = query;
      const list = await grid.jobs({ ...rest, ...(workload === undefined ? {} : { workload }) });
      return json(c, 200, { ...list, jobs: list.jobs.map((job) => visibleJob(caller, job)) });
    },
  );
  api.route(
    {
      method: "get",
      path: jobPath,
      tag: "Work",
      summary: "A job's state, progress, timings, verification and reasons",
      answers: { 200: { description: "The job.", schema: jobViewSchema } },
      problems: ["unauthenticated", "no_such_job", "rate_limited"],
    },
    async ({ c, facts }) => {
      const caller = await access.caller(facts);
      const id = jobId(c.req.param("task_id"));
      return json(c, 200, visibleJob(caller, (await grid.job(id)) ?? noSuchJob(id)));
    },
  );
}

function resultRoute({ api, grid, access }: RouteDeps): void {
  const waiters = new Waiters(grid);
  api.route(
    {
      method: "get",
      path: `${jobPath}/result`,
      tag: "Work",
      summary: "A finished job's result",
      description: "With `wait`, answers when the job ends, or after so many seconds.",
      scope: "read",
      query: resultQuerySchema,
      answers: { 200: { description: "The result.", schema: jobResultSchema } },
      problems: [
        "invalid_query",
        "unauthenticated",
        "forbidden",
        "no_such_job",
        "job_not_finished",
        "job_failed",
        "job_cancelled",
        "result_gone",
        "rate_limited",
      ],
    },
    async ({ c, facts, query }) => {
      const id = jobId(c.req.param("task_id"));
      const job = (await grid.job(id)) ?? noSuchJob(id);
      const caller = await access.caller(facts);
      if (!reads(caller, job.submitter)) await access.require(facts, "read");
      if (query.wait > 0 && !isFinal(job.status)) await waiters.ended(id, query.wait * 1000, facts.incoming.socket);
      return json(c, 200, finished((await grid.result(id)) ?? noSuchJob(id)));
    },
  );
}

function filesRoute({ api, grid, access, files: sender }: RouteDeps): void {
  api.route(
    {
      method: "get",
      path: `${jobPath}/files/{name}`,
      tag: "Work",
      summary: "A file that a finished job made",
      description: "Its result lists them as `files`. Ranges are answered.",
      scope: "read",
      answers: { 200: { description: "Its bytes.", mediaType: "application/octet-stream" } },
      problems: [
        "unauthenticated",
        "forbidden",
        "no_such_job",
        "job_not_finished",
        "job_failed",
        "job_cancelled",
        "result_gone",
        "not_found",
        "rate_limited",
        "range_not_satisfiable",
        "overloaded",
      ],
    },
    async ({ c, facts }) => {
      const id = jobId(c.req.param("task_id"));
      const { job, output } = (await grid.result(id)) ?? noSuchJob(id);
      const caller = await access.caller(facts);
      if (!reads(caller, job.submitter)) await access.require(facts, "read");
      assertCompleted(job);
      const files = (output as { files?: { name: string; media_type: string; sha256: string }[] } | null)?.files ?? [];
      const file = files.find(({ name }) => name === c.req.param("name"));
      if (!file) {
        const remedy =
          files.length === 0 ? "This job made no files." : `It made ${files.map(({ name }) => name).join(", ")}.`;
        throw new HttpProblem("not_found", "The job made no file of that name.", { field: "name", remedy });
      }
      return sender.send(c, file.sha256, outputHeaders(file.name, file.media_type));
    },
  );
}

function finished({ job, output }: JobOutput): Record<string, unknown> {
  assertCompleted(job);
  return {
    task_id: job.task_id,
    status: job.status,
    workload_type: job.workload_type,
    revision: job.revision,
    result: output,
    verification: job.verification,
  };
}

/** Throws HttpProblem for a job that has no result, or not yet. */
export function assertCompleted(job: JobView): void {
  const why = job.reasons.map((reason) => ` ${reason.message}`).join("");
  if (job.status === "failed") {
    throw new HttpProblem("job_failed", `The job failed.${why}`, {
      remedy: "Correct what the reason names; submit again.",
    });
  }
  if (job.status === "cancelled") {
    throw new HttpProblem("job_cancelled", `The job was cancelled.${why}`, { remedy: "Submit it again." });
  }
  if (job.status !== "completed") {
    const percent = Math.floor(job.progress.fraction * 100);
    const remedy = "Ask again after Retry-After, with ?wait=60, or follow the job's events.";
    const seconds = retrySeconds(job.progress.fraction, job.timings.elapsed_seconds);
    throw new HttpProblem(
      "job_not_finished",
      `The job is ${job.status}, ${percent}% done.${why}`,
      { remedy },
      retryAfter(seconds),
    );
  }
}

/** The remaining time by the pace so far, within 1 to 60 s; 2 s while there is no pace. */
function retrySeconds(fraction: number, elapsedSeconds: number): number {
  if (!(fraction > 0)) return 2;
  return Math.min(60, Math.max(1, (elapsedSeconds * (1 - fraction)) / fraction));
}

function cancelRoute({ api, grid, access }: RouteDeps): void {
  api.route(
    {
      method: "delete",
      path: jobPath,
      tag: "Work",
      summary: "Cancel a job",
      description: "Frees its nodes at once. A job that has ended stays as it is.",
      scope: "submit",
      answers: { 200: { description: "The job as it is now.", schema: jobViewSchema } },
      problems: ["unauthenticated", "forbidden", "cross_site", "no_such_job", "rate_limited", "storage_unavailable"],
    },
    async ({ c, facts }) => {
      const caller = await access.require(facts, "submit");
      const id = jobId(c.req.param("task_id"));
      const job = (await grid.job(id)) ?? noSuchJob(id);
      if (!owns(caller, job.submitter)) await access.require(facts, "admin");
      return json(c, 200, visibleJob(caller, (await grid.cancel(id, caller.id ?? "anonymous")) ?? noSuchJob(id)));
    },
  );
}

/** Ids are short and plain; anything else is no job, whatever a store would make of it. */
export const jobId = (given: string | undefined): string =>
  given !== undefined && /^[A-Za-z0-9_-]{1,64}$/.test(given) ? given : noSuchJob(given ?? "");

export function noSuchJob(id: string): never {
  throw new HttpProblem("no_such_job", `There is no job "${id.slice(0, 64)}".`, {
    field: "task_id",
    remedy: "Use the task_id of the 202 answer, or look at GET /api/v1.2/workload.",
  });
}

function readIdempotencyKey(facts: RequestFacts): string | null {
  const key = facts.header("idempotency-key");
  if (key === undefined) return null;
  if (/^[\x21-\x7e]{1,128}$/.test(key)) return key;
  throw new HttpProblem("invalid_header", "The Idempotency-Key must be 1 to 128 visible ASCII characters.", {
    field: "header Idempotency-Key",
    remedy: "Send a random UUID.",
  });
}
