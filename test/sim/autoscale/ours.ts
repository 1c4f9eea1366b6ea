/** Our autoscaler on the same arrivals: its real shell and core in virtual time, against the fake cloud. */
import { offeringOf } from "../../../server/autoscaler/fixtures.ts";
import { forecaster } from "../../../server/autoscaler/forecast/forecast.ts";
import { costs } from "../../../server/autoscaler/ledger.ts";
import type { PolicyName } from "../../../server/autoscaler/model.ts";
import { History } from "../../../server/autoscaler/shell/history.ts";
import { World } from "../../../server/autoscaler/testing/world.ts";
import { Elasticity, type Machines, overtimeS, type Scene, type Score, waitsOf } from "./fleet.ts";
import type { Arrival, Stay } from "./traces.ts";

export interface Ours {
  policy: PolicyName;
  /** Queued work is to be done in so long. */
  drainS: number;
  /** Instances that are there always. */
  minNodes: number;
}

export type OurScore = Score & {
  /** Share of the work that volunteers did. */
  volunteered: number;
  /** Minutes of instances that ran, and cost, while the ledger knew of no such instance nor of an order for it. */
  leakedMinutes: number;
};

/** What clouds do: listings a minute late, one reply in five lost, boots that fail or take long, losses, refusals. */
const cloudFaults = {
  ...{ listLagMs: 60_000, callMs: [50, 4_000] as [number, number], lostReply: 0.2, bootFailure: 0.1, slowBoot: 0.05 },
  ...{ spotLossPerHour: 0.5, terminateRefusal: 0.1 },
};

export async function runOurs(
  { policy, drainS, minNodes }: Ours,
  { arrivals, volunteers, replication, lengthS }: Scene,
  machines: Machines,
  faults = false,
): Promise<OurScore> {
  const { cores, bootS, dollarsPerHour, max } = machines;
  const price = { dollarsPerHour, source: "scenario", asOfMs: 0 };
  const world = new World({
    policy,
    offerings: [{ ...offeringOf(), cores, bootMs: bootS * 1_000, price }],
    faults: faults ? cloudFaults : { bootSpread: 0 },
    target: { minNodes, maxNodes: max, dollarsPerHourMax: null, dollarsPerDayMax: null },
    settings: { drainMs: drainS * 1_000 },
    replication,
    arrivals: new History(forecaster()),
  });
  await world.start();
  const elasticity = new Elasticity();
  const leaving = new Map<number, number[]>();
  for (const [at, { toS }] of volunteers.entries()) leaving.set(toS, [...(leaving.get(toS) ?? []), at]);
  let [next, came, most, atS, leakedMinutes] = [0, 0, 0, 0, 0];
  for (; atS < lengthS || (world.left > 0 && atS < lengthS + overtimeS); atS++) {
    for (; next < arrivals.length && (arrivals[next] as Arrival).atS <= atS; next++)
      world.submit((arrivals[next] as Arrival).coreSeconds);
    for (; came < volunteers.length && (volunteers[came] as Stay).fromS <= atS; came++)
      world.join(`volunteer-${came}`, (volunteers[came] as Stay).cores);
    for (const at of leaving.get(atS) ?? []) world.leave(`volunteer-${at}`);
    await world.pass(1_000);
    const running = world.cloud.running().length;
    most = Math.max(most, running);
    elasticity.note(world.left / 300 / cores, running);
    if (atS % 60 === 0) leakedMinutes += leaked(world);
  }
  if (world.wrongs.length > 0) throw new Error(`what must never happen did: ${world.wrongs[0]}`);
  const now = world.time.now();
  const all = [...world.cloud.instances.values()];
  const hours = all.reduce(
    (sum, { launchedAtMs, endedAtMs }) => sum + ((endedAtMs ?? now) - launchedAtMs) / 3_600_000,
    0,
  );
  return {
    name: `Queztl ${policy}, ${drainS} s${minNodes > 0 ? `, from ${minNodes}` : ""}`,
    dollars: hours * dollarsPerHour,
    ...waitsOf(world.waitsMs.map((ms) => ms / 1_000)),
    launches: all.length,
    most,
    endS: atS,
    leftCoreSeconds: world.left,
    leakedMinutes,
    volunteered:
      world.volunteered /
      Math.max(
        1,
        arrivals.reduce((sum, { coreSeconds }) => sum + coreSeconds, 0),
      ),
    ...elasticity.score(),
  };
}

/** Instances that run and are in no living row, nor of an order whose rows still wait for theirs. */
function leaked({ cloud, scaler }: World): number {
  const rows = [...scaler.book.instances.values()].filter(costs);
  const known = new Set(rows.map(({ cloudId }) => cloudId));
  const awaited = new Set(rows.filter(({ cloudId }) => cloudId === null).map(({ order }) => order));
  return cloud.running().filter(({ id, order }) => !known.has(id) && !awaited.has(order.token)).length;
}
