/** Our autoscaler on the same arrivals: its real shell and core in virtual time, against the fake cloud. */
import { offeringOf } from "../../../server/autoscaler/fixtures.ts";
import { forecaster } from "../../../server/autoscaler/forecast/forecast.ts";
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

/** With the share of the work that volunteers did. */
export type OurScore = Score & { volunteered: number };

export async function runOurs(
  { policy, drainS, minNodes }: Ours,
  { arrivals, volunteers, replication, lengthS }: Scene,
  machines: Machines,
): Promise<OurScore> {
  const { cores, bootS, dollarsPerHour, max } = machines;
  const price = { dollarsPerHour, source: "scenario", asOfMs: 0 };
  const world = new World({
    policy,
    offerings: [{ ...offeringOf(), cores, bootMs: bootS * 1_000, price }],
    faults: { bootSpread: 0 },
    target: { minNodes, maxNodes: max, dollarsPerHourMax: null, dollarsPerDayMax: null },
    settings: { drainMs: drainS * 1_000 },
    replication,
    arrivals: new History(forecaster()),
  });
  await world.start();
  const elasticity = new Elasticity();
  const leaving = new Map<number, number[]>();
  for (const [at, { toS }] of volunteers.entries()) leaving.set(toS, [...(leaving.get(toS) ?? []), at]);
  let [next, came, most, atS] = [0, 0, 0, 0];
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
    volunteered:
      world.volunteered /
      Math.max(
        1,
        arrivals.reduce((sum, { coreSeconds }) => sum + coreSeconds, 0),
      ),
    ...elasticity.score(),
  };
}
