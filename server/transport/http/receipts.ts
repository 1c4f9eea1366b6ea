/** Receipts: what a job's result rests on, signed. */
import {
  grainProofSchema,
  grainQuerySchema,
  receiptChainQuerySchema,
  receiptChainSchema,
  receiptKeySchema,
  receiptQuerySchema,
  receiptSchema,
} from "../../../protocol/ledger.ts";
import { reads } from "../../access/caller.ts";
import { json } from "./api.ts";
import type { RouteDeps } from "./deps.ts";
import { apiHeaders } from "./headers.ts";
import { HttpProblem } from "./problems.ts";
import { assertCompleted, jobId, noSuchJob } from "./workload.ts";

export function receiptRoutes(deps: RouteDeps): void {
  receiptRoute(deps);
  grainRoute(deps);
  chainRoutes(deps);
}

function receiptRoute({ api, grid, access }: RouteDeps): void {
  api.route(
    {
      method: "get",
      path: "/api/v1.2/workload/{task_id}/receipt",
      tag: "Work",
      summary: "A finished job's receipt",
      description:
        "What the result rests on, signed by the coordinator and chained to the receipt before: hashes of payload, " +
        "kernel and output, and who computed which grains, with their signatures. `npm run verify-receipt -- FILE` " +
        "checks it from the file alone. With `grain`, only the range that holds it, with its inclusion proof.",
      scope: "read",
      query: receiptQuerySchema,
      answers: { 200: { description: "The receipt.", schema: receiptSchema } },
      problems: [
        "invalid_query",
        "unauthenticated",
        "forbidden",
        "no_such_job",
        "no_such_grain",
        "job_not_finished",
        "job_failed",
        "job_cancelled",
        "receipt_too_large",
        "rate_limited",
        "storage_unavailable",
      ],
    },
    async ({ c, facts, query }) => {
      const id = jobId(c.req.param("task_id"));
      const job = (await grid.job(id)) ?? noSuchJob(id);
      const caller = await access.caller(facts);
      if (!reads(caller, job.submitter)) await access.require(facts, "read");
      assertCompleted(job);
      const { grain, round } = query;
      const text = await grid.receipts.receipt(id, grain === undefined ? null : { round, grain });
      if (text === null) {
        if (grain === undefined) noSuchJob(id);
        const remedy = "Ask for a grain of the receipt's ranges.";
        throw new HttpProblem("no_such_grain", `No range of round ${round} holds grain ${grain}.`, {
          field: "query grain",
          remedy,
        });
      }
      return c.body(text, 200, { ...apiHeaders, "content-type": "application/json; charset=utf-8" });
    },
  );
}

function grainRoute({ api, grid, access }: RouteDeps): void {
  api.route(
    {
      method: "get",
      path: "/api/v1.2/workload/{task_id}/grain/{grain}",
      tag: "Work",
      summary: "One grain as its node answered it, with proof",
      description:
        "The partial that some node computed, and the proof that it is under the root that this node signed: enough to " +
        "compute the grain again and show that the answer was right, or was not.",
      scope: "read",
      query: grainQuerySchema,
      answers: { 200: { description: "The grain.", schema: grainProofSchema } },
      problems: [
        "invalid_query",
        "unauthenticated",
        "forbidden",
        "no_such_job",
        "no_such_grain",
        "rate_limited",
        "storage_unavailable",
      ],
    },
    async ({ c, facts, query }) => {
      const id = jobId(c.req.param("task_id"));
      const job = (await grid.job(id)) ?? noSuchJob(id);
      const caller = await access.caller(facts);
      if (!reads(caller, job.submitter)) await access.require(facts, "read");
      const given = c.req.param("grain") ?? "";
      const grain = /^\d{1,7}$/.test(given) ? await grid.receipts.grain(id, query.round, Number(given)) : null;
      if (grain !== null) return json(c, 200, grain);
      const remedy = "Ask for a grain that some result stands for.";
      throw new HttpProblem(
        "no_such_grain",
        `No result of round ${query.round} stands for grain ${given.slice(0, 20)}.`,
        {
          field: "grain",
          remedy,
        },
      );
    },
  );
}

function chainRoutes({ api, grid }: RouteDeps): void {
  api.route(
    {
      method: "get",
      path: "/api/v1.2/receipts/key",
      tag: "Grid",
      summary: "The key that signs receipts",
      description: "Keep it, with the head of the chain: both show later that no receipt was replaced.",
      answers: { 200: { description: "The coordinator's public key.", schema: receiptKeySchema } },
      problems: ["rate_limited", "storage_unavailable"],
    },
    async ({ c }) => json(c, 200, { algorithm: "Ed25519", ...(await grid.receipts.key()) }),
  );
  api.route(
    {
      method: "get",
      path: "/api/v1.2/receipts",
      tag: "Grid",
      summary: "The chain of receipts: their hashes, in order",
      query: receiptChainQuerySchema,
      answers: { 200: { description: "Links of the chain.", schema: receiptChainSchema } },
      problems: ["invalid_query", "rate_limited", "storage_unavailable"],
    },
    async ({ c, query }) => json(c, 200, { receipts: await grid.receipts.chain(query.after, query.limit) }),
  );
}
