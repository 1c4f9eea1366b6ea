/** Volunteers' credit: the leaderboard, each one's own page, export, and deletion of what is personal. */
import * as z from "zod";
import {
  leaderboardQuerySchema,
  leaderboardSchema,
  type Postings,
  postingsQuerySchema,
  postingsSchema,
  statementBodySchema,
  volunteerPageSchema,
} from "../../../protocol/ledger.ts";
import { json } from "./api.ts";
import type { RouteDeps } from "./deps.ts";
import { apiHeaders } from "./headers.ts";
import { HttpProblem } from "./problems.ts";

const path = "/api/v1.2/volunteers";

export function volunteerRoutes(deps: RouteDeps): void {
  readRoutes(deps);
  changeRoutes(deps);
}

function readRoutes({ api, grid }: RouteDeps): void {
  api.route(
    {
      method: "get",
      path,
      tag: "Volunteers",
      summary: "The leaderboard, of volunteers and of teams",
      query: leaderboardQuerySchema,
      answers: { 200: { description: "Credit as of the last payday.", schema: leaderboardSchema } },
      problems: ["invalid_query", "rate_limited", "storage_unavailable"],
    },
    async ({ c, query }) => json(c, 200, await grid.volunteers.leaderboard(query.limit)),
  );
  api.route(
    {
      method: "get",
      path: `${path}/{volunteer_id}`,
      tag: "Volunteers",
      summary: "A volunteer's credit, rank, name and team",
      answers: { 200: { description: "The volunteer.", schema: volunteerPageSchema } },
      problems: ["no_such_volunteer", "rate_limited", "storage_unavailable"],
    },
    async ({ c }) => {
      const id = volunteerId(c.req.param("volunteer_id"));
      return json(c, 200, (await grid.volunteers.volunteer(id)) ?? noSuchVolunteer(id));
    },
  );
  api.route(
    {
      method: "get",
      path: `${path}/{volunteer_id}/postings`,
      tag: "Volunteers",
      summary: "A volunteer's postings, as JSON or CSV",
      description: "Newest first. A balance is the sum of all of them.",
      query: postingsQuerySchema,
      answers: { 200: { description: "Postings that count.", schema: postingsSchema } },
      problems: ["invalid_query", "no_such_volunteer", "rate_limited", "storage_unavailable"],
    },
    async ({ c, query }) => {
      const id = volunteerId(c.req.param("volunteer_id"));
      const postings = (await grid.volunteers.postings(id, query.limit)) ?? noSuchVolunteer(id);
      if (query.format === "json") return json(c, 200, postings);
      const disposition = `attachment; filename="queztl-credit-${id}.csv"`;
      const headers = { "content-type": "text/csv; charset=utf-8", "content-disposition": disposition };
      return c.body(csvOf(postings), 200, { ...apiHeaders, ...headers });
    },
  );
}

function changeRoutes({ api, grid, access }: RouteDeps): void {
  api.route(
    {
      method: "post",
      path: `${path}/{volunteer_id}/statement`,
      tag: "Volunteers",
      summary: "What an identity says of itself: its team, whose jobs are its own, or that its data be erased",
      description:
        "Signed by the identity's key, which is the whole authority: see docs/credit.md. To name a submitter, send that " +
        "submitter's key too.",
      body: statementBodySchema,
      bodyBytesMax: 8 << 10,
      answers: { 200: { description: "The volunteer as it is now.", schema: volunteerPageSchema } },
      problems: ["invalid_body", "invalid_statement", "not_json", "rate_limited", "storage_unavailable"],
    },
    async ({ c, facts, body }) => {
      const caller = await access.caller(facts);
      const { value } = await body();
      return json(c, 200, await grid.volunteers.state(volunteerId(c.req.param("volunteer_id")), value, caller.id));
    },
  );
  api.route(
    {
      method: "delete",
      path: `${path}/{volunteer_id}`,
      tag: "Volunteers",
      summary: "Erase a volunteer's personal data",
      description:
        "Name, team and submitter go; the pseudonymous key, its postings and its signatures in receipts stay. Volunteers " +
        "do it themselves by a signed statement.",
      scope: "admin",
      answers: { 200: { description: "It is gone.", schema: z.object({ erased: z.literal(true) }) } },
      problems: [
        "unauthenticated",
        "forbidden",
        "cross_site",
        "no_such_volunteer",
        "rate_limited",
        "storage_unavailable",
      ],
    },
    async ({ c, facts }) => {
      await access.require(facts, "admin");
      const id = volunteerId(c.req.param("volunteer_id"));
      if (!(await grid.volunteers.erase(id))) noSuchVolunteer(id);
      return json(c, 200, { erased: true });
    },
  );
}

const csvOf = ({ postings }: Postings): string =>
  ["counted_at,kind,core_seconds,task_id,work"]
    .concat(postings.map((p) => `${p.counted_at},${p.kind},${p.core_seconds},${p.task_id},${p.work}`))
    .map((line) => `${line}\r\n`)
    .join("");

const volunteerId = (given: string | undefined): string =>
  given !== undefined && /^[0-9a-f]{16}$/.test(given) ? given : noSuchVolunteer(given ?? "");

function noSuchVolunteer(id: string): never {
  throw new HttpProblem("no_such_volunteer", `There is no volunteer "${id.slice(0, 64)}".`, {
    field: "volunteer_id",
    remedy: "Use the node's id, as its page shows it.",
  });
}
