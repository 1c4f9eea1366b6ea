/** The simulator, tested: cores with a bug each, which it must find. */
import { describe, expect, it } from "vitest";
import type { CorePorts, Effect } from "../../server/core/events.ts";
import { step } from "../../server/core/grid.ts";
import type { Step } from "./coordinator.ts";
import { explore } from "./explore.ts";

const ticket: CorePorts["ticket"] = ({ id, job, round, lo, hi, node }) => `${id}|${job}|${round}|${lo}|${hi}|${node}`;
const ports: CorePorts = { ticket };

const bugs: { what: string; finds: RegExp; step?: Step; ports?: CorePorts }[] = [
  {
    what: "every ticket is the same",
    finds: /forged/,
    ports: { ticket: () => "forged" },
  },
  {
    what: "a result counts for grains that another covers",
    finds: /two places|neighbours|counted/,
    step: (state, event, now, entropy, given) => {
      const job = event.type === "result" ? state.jobs.get(event.result.job) : undefined;
      if (job && event.type === "result") {
        const { lo, hi } = event.result;
        for (const id of job.results.keys()) job.coverage.uncover(lo, hi, id);
      }
      return step(state, event, now, entropy, given);
    },
  },
  {
    what: "results are acknowledged before they are durable",
    finds: /not durable/,
    step: (...event) => step(...event).flatMap((effect) => hasty(effect, "ack")),
  },
  {
    what: "jobs are accepted before they are durable",
    finds: /not durable/,
    step: (...event) => step(...event).flatMap((effect) => hasty(effect, "accepted")),
  },
  {
    what: "audits never disagree",
    finds: /output|wrong|banned, and honest/,
    step: (state, event, ...rest) =>
      step(state, event.type === "compared" ? { ...event, reason: null } : event, ...rest),
  },
  {
    what: "certificates always hold",
    // Or the judge, who counted nothing, is asked for what was counted.
    finds: /output|wrong|banned, and honest|verified yet/,
    step: (state, event, ...rest) =>
      step(state, event.type === "checked" ? { ...event, reason: null } : event, ...rest),
  },
  {
    what: "grains of an expired lease are forgotten",
    finds: /nowhere/,
    step: (state, event, now, entropy, given) => {
      const effects = step(state, event, now, entropy, given);
      const expired = effects.some((effect) => effect.type === "note" && effect.code === "lease_expired");
      if (expired) for (const job of state.jobs.values()) job.open.remove(0, job.grains);
      return effects;
    },
  },
  {
    what: "a lost connection is not noticed",
    finds: /never|left over|keeps|twice/,
    step: (state, event, now, entropy, given) => {
      if (event.type === "disconnected") return [];
      if (event.type === "tick") for (const node of state.nodes.values()) node.lastSeenMs = now;
      if (event.type === "tick")
        for (const lease of state.leases.values()) lease.deadlineMs = lease.deadlineMsMax = now + 1e9;
      return step(state, event, now, entropy, given);
    },
  },
  {
    what: "a restart does not merge again what was confirmed",
    finds: /output|never ended|verified yet/,
    step: (state, event, ...rest) => {
      const result = event.type === "restored" ? state.jobs.get(event.job)?.results.get(event.result) : undefined;
      return result?.standing === "confirmed" ? [] : step(state, event, ...rest);
    },
  },
];

function hasty(effect: Effect, type: Effect["type"]): Effect[] {
  if (effect.type !== "commit") return [effect];
  const now = effect.afterwards.filter((after) => after.type === type);
  return [...now, { ...effect, afterwards: effect.afterwards.filter((after) => after.type !== type) }];
}

describe("the simulator finds that", () => {
  it.each(bugs)("$what", ({ finds, ...bug }) => {
    const core = { step: bug.step ?? step, ports: bug.ports ?? ports };
    const seeds = Array.from({ length: 30 }, (_, index) => index + 1);
    expect(() => explore(seeds, { core })).toThrow(finds);
  });
});
