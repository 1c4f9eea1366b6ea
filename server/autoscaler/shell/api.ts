/** The autoscaler as REST shows it, and what people may ask of it. */
import type {
  AutoscalerStatus,
  Estimate,
  EstimateBody,
  ManualBody,
  ScaleDecision,
  ScaleHistory,
  ScalePatch,
} from "../../../protocol/scaling.ts";
import { type GridScaler, ScalerRefusal } from "../../transport/scaler.ts";
import { budget } from "../budget.ts";
import { costs, counts, hourlyRate } from "../ledger.ts";
import type { InstanceRow, Target } from "../model.ts";
import { volunteersPrice } from "../prices.ts";
import type { Scaler } from "../scaler.ts";
import { dollarsOf } from "../spend.ts";
import { estimate } from "./estimate.ts";
import type { JournalEntry } from "./journal.ts";
import type { Day } from "./meter.ts";

const iso = (ms: number): string => new Date(ms).toISOString();
const instancesMax = 500;

export class ScalerApi implements GridScaler {
  constructor(
    private readonly scaler: Scaler,
    /** Why a target cannot be meant; null where it can. */
    private readonly contradiction: (target: Target) => string | null,
  ) {}

  get priced(): boolean {
    return this.scaler.options.provider.priced;
  }

  status(): AutoscalerStatus {
    const { scaler } = this;
    const { book, meter, counters, last, manual, now } = scaler;
    const living = [...book.instances.values()].filter(costs);
    const states: Record<string, number> = {};
    for (const { state } of living) states[state] = (states[state] ?? 0) + 1;
    const { provider } = scaler.options;
    return {
      policy: scaler.policy,
      target: targetView(scaler.target),
      managed_instances: living.length,
      scale_up_count: counters.ups,
      scale_down_count: counters.downs,
      last_action: counters.lastActionMs === null ? null : Math.max(0, (now - counters.lastActionMs) / 1000),
      provider: provider.name,
      priced: provider.priced,
      desired: last?.desired ?? null,
      states,
      needed_rate: last?.neededRate ?? 0,
      volunteer_rate: last?.volunteerRate ?? 0,
      shortfall_rate: last?.shortfallRate ?? 0,
      dollars_per_hour: hourlyRate(living),
      boot_seconds: scaler.bootMs === null ? null : scaler.bootMs / 1000,
      holds: [...scaler.holds],
      alerts: [...(last?.alerts ?? []), ...scaler.troubles.values()],
      manual: manual && {
        at_least: manual.atLeast,
        at_most: manual.atMost,
        until: iso(manual.untilMs),
        by: manual.by,
      },
      spend: {
        today: spendView(meter.today(now)),
        total: spendView(meter.total()),
        saved_at: {
          dollars_per_core_hour: scaler.dollarsPerCoreSecond * 3_600,
          source: provider.priced ? "cheapest machine on offer" : volunteersPrice.source,
          as_of: provider.priced ? iso(now) : volunteersPrice.asOf,
        },
        jobs: [...meter.jobs]
          .sort((a, b) => b[1] - a[1])
          .slice(0, 20)
          .map(([task_id, dollars]) => ({ task_id, dollars })),
      },
      instances: living.slice(0, instancesMax).map((row) => this.#instanceView(row)),
      last_decisions: this.decisions(10),
    };
  }

  decisions(limit: number): ScaleDecision[] {
    return this.scaler.journal.entries.slice(-limit).reverse().map(decisionView);
  }

  history(): ScaleHistory {
    const points = this.scaler.options.arrivals?.points() ?? [];
    return { points: points.map(({ atMs, ...point }) => ({ at: iso(atMs), ...point })) };
  }

  async manual({ action, count, seconds }: ManualBody, by: string): Promise<void> {
    const { scaler } = this;
    if (action === "release") {
      await scaler.wish(by, null, "What was asked for by hand is taken back.");
      return;
    }
    const have = [...scaler.book.instances.values()].filter(counts).length;
    const { minNodes, maxNodes } = scaler.target;
    const wanted = action === "up" ? have + count : have - count;
    const atLeast = Math.max(0, Math.min(wanted, maxNodes));
    const untilMs = scaler.now + seconds * 1000;
    // Fewer of what was asked for before is still asked for; of what was not, nothing is kept for its number.
    const floor = scaler.manual?.atLeast ?? minNodes;
    const manual =
      action === "up"
        ? { atLeast, atMost: null, untilMs, by }
        : { atLeast: Math.min(atLeast, floor), atMost: Math.max(minNodes, atLeast), untilMs, by };
    const bound = action === "up" ? `at least ${manual.atLeast}` : `at most ${manual.atMost}`;
    await scaler.wish(by, manual, `${action} ${count}: ${bound} instances until ${iso(untilMs)}.`);
  }

  async change(patch: ScalePatch, by: string): Promise<void> {
    const { scaler } = this;
    const target: Target = { ...scaler.target };
    for (const [name, value] of Object.entries(patch.target ?? {})) {
      if (value !== undefined) Object.assign(target, changeOf(name as keyof typeof members, value));
    }
    const wrong = this.contradiction(target);
    if (wrong !== null) throw new ScalerRefusal(wrong, "target", "Change both at once, or the other way round.");
    const policy = patch.policy ?? scaler.policy;
    const changed = [
      ...(patch.policy ? [`policy ${policy}`] : []),
      ...Object.entries(patch.target ?? {}).map(([name, value]) => `${name} ${value}`),
    ];
    await scaler.change(by, policy, target, `Set to ${changed.join(", ") || "what it was"}.`);
  }

  estimate(body: EstimateBody): Estimate {
    const { offerings, target, book, meter, now, options } = this.scaler;
    const { room } = budget(target, [...book.instances.values()], meter.today(now).dollars, now);
    return estimate(body, { offerings: options.provider.priced ? offerings : [], room, targetCpu: target.targetCpu });
  }

  #instanceView(row: InstanceRow): AutoscalerStatus["instances"][number] {
    const { offering } = row;
    const node = row.node === null ? undefined : this.scaler.facts?.nodes.get(row.node);
    return {
      instance_id: row.id,
      state: row.state,
      since: iso(row.stateAtMs),
      reason: row.reason,
      cloud_id: row.cloudId,
      node_id: row.node,
      type: offering.type,
      region: offering.region,
      zone: offering.zone,
      market: offering.market,
      cores: offering.cores,
      dollars_per_hour: offering.price.dollarsPerHour,
      dollars: dollarsOf(row, 0, this.scaler.now),
      ordered_at: iso(row.createdAtMs),
      launched_at: row.launchedAtMs === null ? null : iso(row.launchedAtMs),
      registered_at: row.registeredAtMs === null ? null : iso(row.registeredAtMs),
      leases: node?.leases ?? 0,
      utilization: node?.utilisation ?? 0,
    };
  }
}

const members = {
  min_nodes: "minNodes",
  max_nodes: "maxNodes",
  target_cpu: "targetCpu",
  scale_up_threshold: "scaleUpThreshold",
  scale_down_threshold: "scaleDownThreshold",
  cooldown_seconds: "cooldownMs",
  max_dollars_per_hour: "dollarsPerHourMax",
  max_dollars_per_day: "dollarsPerDayMax",
} as const;

const changeOf = (name: keyof typeof members, value: number | null): Partial<Target> => ({
  [members[name]]: name === "cooldown_seconds" && value !== null ? value * 1000 : value,
});

const targetView = (target: Target): AutoscalerStatus["target"] => ({
  min_nodes: target.minNodes,
  max_nodes: target.maxNodes,
  target_cpu: target.targetCpu,
  scale_up_threshold: target.scaleUpThreshold,
  scale_down_threshold: target.scaleDownThreshold,
  cooldown_seconds: target.cooldownMs / 1000,
  max_dollars_per_hour: target.dollarsPerHourMax,
  max_dollars_per_day: target.dollarsPerDayMax,
});

const spendView = (day: Day): AutoscalerStatus["spend"]["today"] => ({
  dollars: day.dollars,
  volunteer_core_seconds: day.volunteerCoreSeconds,
  saved_dollars: day.savedDollars,
});

const decisionView = (entry: JournalEntry): ScaleDecision => ({
  sequence: entry.sequence,
  at: iso(entry.atMs),
  policy: entry.policy,
  desired: entry.desired,
  have: entry.have,
  needed_rate: entry.neededRate,
  volunteer_rate: entry.volunteerRate,
  shortfall_rate: entry.shortfallRate,
  actions: entry.actions,
  holds: entry.holds,
  alerts: entry.alerts,
  by: entry.by,
});
