/** The autoscaler: its state, what it decided and why, what it may spend, and people's wishes. */

import type { Scope } from "../../../protocol/rest.ts";
import {
  type AutoscalerStatus,
  autoscalerStatusSchema,
  decisionListSchema,
  decisionQuerySchema,
  estimateBodySchema,
  estimateSchema,
  manualBodySchema,
  scaleHistorySchema,
  scalePatchSchema,
} from "../../../protocol/scaling.ts";
import type { Caller } from "../../access/caller.ts";
import { type GridScaler, ScalerRefusal } from "../scaler.ts";
import { json } from "./api.ts";
import type { RouteDeps } from "./deps.ts";
import type { IncomingFacts } from "./facts.ts";
import { HttpProblem } from "./problems.ts";

const tag = "Autoscaler";
const readProblems = ["unauthenticated", "forbidden", "rate_limited"] as const;
const changeProblems = [
  ...readProblems,
  "no_autoscaler",
  "cross_site",
  "malformed_json",
  "incomplete_body",
  "slow_body",
  "body_too_large",
  "not_json",
  "invalid_body",
  "storage_unavailable",
] as const;

export function autoscalerRoutes(deps: RouteDeps): void {
  readRoutes(deps);
  changeRoutes(deps);
  estimateRoute(deps);
}

/** Where no instances are launched. */
const nothing = { dollars: 0, volunteer_core_seconds: 0, saved_dollars: 0 };
const off: AutoscalerStatus = {
  policy: "reactive",
  target: {
    min_nodes: 0,
    max_nodes: 0,
    target_cpu: 0,
    scale_up_threshold: 0,
    scale_down_threshold: 0,
    cooldown_seconds: 0,
    max_dollars_per_hour: 0,
    max_dollars_per_day: 0,
  },
  managed_instances: 0,
  scale_up_count: 0,
  scale_down_count: 0,
  last_action: null,
  provider: "none",
  priced: false,
  desired: null,
  states: {},
  needed_rate: 0,
  volunteer_rate: 0,
  shortfall_rate: 0,
  dollars_per_hour: 0,
  boot_seconds: null,
  holds: [
    { code: "no_autoscaler", message: "This coordinator launches no instances: start it with --scale-provider." },
  ],
  alerts: [],
  manual: null,
  spend: {
    today: nothing,
    total: nothing,
    saved_at: { dollars_per_core_hour: 0, source: "no autoscaler", as_of: "" },
    jobs: [],
  },
  instances: [],
  last_decisions: [],
};

function readRoutes(deps: RouteDeps): void {
  const { api, scaler } = deps;
  api.route(
    {
      method: "get",
      path: "/api/v1.2/autoscaler/status",
      tag,
      summary: "Policy, target, instances, spend, and the last decisions with their reasons",
      scope: "read",
      answers: { 200: { description: "The autoscaler.", schema: autoscalerStatusSchema } },
      problems: readProblems,
    },
    async ({ c, facts }) => {
      await allowed(deps, facts, "read");
      return json(c, 200, scaler?.status() ?? off);
    },
  );
  api.route(
    {
      method: "get",
      path: "/api/v1.2/autoscaler/decisions",
      tag,
      summary: "What was decided and why, newest first",
      scope: "read",
      query: decisionQuerySchema,
      answers: { 200: { description: "The log.", schema: decisionListSchema } },
      problems: [...readProblems, "invalid_query"],
    },
    async ({ c, facts, query }) => {
      await allowed(deps, facts, "read");
      return json(c, 200, { decisions: scaler?.decisions(query.limit) ?? [] });
    },
  );
  api.route(
    {
      method: "get",
      path: "/api/v1.2/autoscaler/history",
      tag,
      summary: "Paid work that arrived, beside what was forecast",
      scope: "read",
      answers: { 200: { description: "The series, oldest first.", schema: scaleHistorySchema } },
      problems: readProblems,
    },
    async ({ c, facts }) => {
      await allowed(deps, facts, "read");
      return json(c, 200, scaler?.history() ?? { points: [] });
    },
  );
}

function changeRoutes(deps: RouteDeps): void {
  const { api, scaler } = deps;
  api.route(
    {
      method: "post",
      path: "/api/v1.2/scale/manual",
      tag,
      summary: "Ask for more or fewer instances for a while",
      description:
        "Within maximum and budget. Where instances cost money it needs the scope `scale`; else whoever may submit.",
      scope: "scale",
      body: manualBodySchema,
      answers: { 200: { description: "The autoscaler as it is now.", schema: autoscalerStatusSchema } },
      problems: changeProblems,
    },
    async ({ c, facts, body }) => {
      const at = there(scaler);
      const caller = await allowed(deps, facts, at.priced ? "scale" : "submit");
      const { value } = await body();
      await at.manual(value, caller.id ?? caller.kind);
      return json(c, 200, at.status());
    },
  );
  api.route(
    {
      method: "patch",
      path: "/api/v1.2/autoscaler",
      tag,
      summary: "Change policy and target",
      description: "Holds over restarts, except for what the next start names by flag or variable.",
      scope: "scale",
      body: scalePatchSchema,
      answers: { 200: { description: "The autoscaler as it is now.", schema: autoscalerStatusSchema } },
      problems: changeProblems,
    },
    async ({ c, facts, body }) => {
      const at = there(scaler);
      const caller = await allowed(deps, facts, "scale");
      const { value } = await body();
      await at.change(value, caller.id ?? caller.kind).catch(refused);
      return json(c, 200, at.status());
    },
  );
}

function estimateRoute(deps: RouteDeps): void {
  const { api, scaler } = deps;
  api.route(
    {
      method: "post",
      path: "/api/v1.2/scale/estimate",
      tag,
      summary: "What instances would cost, before any is launched",
      scope: "submit",
      body: estimateBodySchema,
      answers: { 200: { description: "Cheapest first, with the source of each price.", schema: estimateSchema } },
      problems: changeProblems,
    },
    async ({ c, facts, body }) => {
      const at = there(scaler);
      await allowed(deps, facts, "submit");
      const { value } = await body();
      try {
        return json(c, 200, at.estimate(value));
      } catch (error) {
        return refused(error);
      }
    },
  );
}

const allowed = ({ access }: RouteDeps, facts: IncomingFacts, scope: Scope): Promise<Caller> =>
  access.require(facts, scope);

function there(scaler: GridScaler | null): GridScaler {
  if (scaler) return scaler;
  throw new HttpProblem("no_autoscaler", "This coordinator launches no instances.", {
    remedy: "Start it with --scale-provider=local --max-nodes=4, or with a cloud.",
  });
}

function refused(error: unknown): never {
  if (!(error instanceof ScalerRefusal)) throw error;
  const { message, field, remedy, available } = error;
  throw new HttpProblem("invalid_body", message, { field, remedy, ...(available ? { available } : {}) });
}
