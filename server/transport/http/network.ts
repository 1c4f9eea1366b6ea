/** The grid as a whole: health, status, nodes, kinds of work. All public. */
import { z } from "zod";
import { healthSchema, networkStatusSchema, nodeViewSchema, workloadTypesSchema } from "../../../protocol/rest.ts";
import { json } from "./api.ts";
import type { RouteDeps } from "./deps.ts";

export const nodeListSchema = z.object({ nodes: z.array(nodeViewSchema) }).meta({ id: "NodeList" });

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
}
