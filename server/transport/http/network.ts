/** The grid as a whole: health, status, nodes, kinds of work. All public. */
import * as z from "zod";
import { limits } from "../../../protocol/limits.ts";
import { healthSchema, networkStatusSchema, nodeViewSchema, workloadTypesSchema } from "../../../protocol/rest.ts";
import { json } from "./api.ts";
import type { RouteDeps } from "./deps.ts";
import { HttpProblem } from "./problems.ts";

export const nodeListSchema = z.object({ nodes: z.array(nodeViewSchema) }).meta({ id: "NodeList" });

const departureSchema = z.object({ release: z.string().min(1).max(limits.releaseTokenMax) }).strict();

export function networkRoutes({ api, grid, access }: RouteDeps): void {
  api.route(
    {
      method: "get",
      path: "/api/health",
      tag: "Grid",
      summary: "Whether the coordinator is well",
      description: "`degraded` still serves; the reasons say what does not work.",
      answers: { 200: { description: "Its health.", schema: healthSchema } },
      problems: ["rate_limited"],
    },
    ({ c }) => json(c, 200, { ...grid.health(), keyless_loopback: access.health() }),
  );
  api.route(
    {
      method: "get",
      path: "/api/v1.2/network/status",
      tag: "Grid",
      summary: "Coordinator, registry, scheduler and nodes",
      answers: { 200: { description: "The grid now.", schema: networkStatusSchema } },
      problems: ["rate_limited"],
    },
    ({ c }) => json(c, 200, grid.status()),
  );
  api.route(
    {
      method: "get",
      path: "/api/v1.2/nodes",
      tag: "Grid",
      summary: "All nodes that the coordinator knows",
      answers: { 200: { description: "The nodes.", schema: nodeListSchema } },
      problems: ["rate_limited"],
    },
    ({ c }) => json(c, 200, { nodes: grid.nodes() }),
  );
  api.route(
    {
      method: "get",
      path: "/api/v1.2/workload-types",
      tag: "Grid",
      summary: "Kinds of work, with the JSON Schema of their payloads and examples",
      answers: { 200: { description: "What can be submitted, and what is planned.", schema: workloadTypesSchema } },
      problems: ["rate_limited"],
    },
    ({ c }) => json(c, 200, { workload_types: grid.workloadTypes(), planned: grid.plannedWorkloads() }),
  );
  departureRoute({ api, grid });
}

/** A page that closes cannot wait for an answer, nor for its socket: browsers deliver its beacon all the same. */
function departureRoute({ api, grid }: Pick<RouteDeps, "api" | "grid">): void {
  api.route(
    {
      method: "post",
      path: "/api/v1.2/node/departure",
      tag: "Grid",
      summary: "A node's last words, sent by its page as it closes",
      description:
        "`release` is the token of the session's `welcome`. What the session held is free at once. The token is the " +
        "whole authority: it can do nothing else, and nothing to another session.",
      body: departureSchema,
      bodyBytesMax: 1024,
      answers: { 202: { description: "Heard.", schema: z.object({ released: z.literal(true) }) } },
      problems: ["forbidden", "invalid_body", "not_json", "rate_limited"],
    },
    async ({ c, body }) => {
      const { value } = await body();
      if (!grid.depart(value.release)) {
        const remedy = "Send the token that the session was welcomed with.";
        throw new HttpProblem("forbidden", "The token is of no session.", { field: "release", remedy });
      }
      return json(c, 202, { released: true });
    },
  );
}
