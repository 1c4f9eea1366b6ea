/** Looks at the grid as a whole: what is there now, with what single looks do not tell. */
import type { CoreState } from "../../core/state.ts";
import type { CloudInstance, Offering } from "../cloud/provider.ts";
import { bootMs, type ScalerMemory } from "../memory.ts";
import type { Decision, Manual, Observation, PolicyName, Target } from "../model.ts";
import { freshSurvival, survival, watchVolunteers } from "../survival.ts";
import type { Book } from "./book.ts";
import type { Meter } from "./meter.ts";
import { type GridFacts, gridFacts } from "./observe.ts";
import type { ScalerOptions } from "./ports.ts";
import { Watch } from "./watch.ts";

export interface Look {
  nowMs: number;
  policy: PolicyName;
  target: Target;
  manual: Manual | null;
  offerings: readonly Offering[];
  listing: { atMs: number; instances: readonly CloudInstance[] } | null;
  last: Decision | null;
  dollarsPerCoreSecond: number;
}

export class Observer {
  facts: GridFacts | null = null;
  readonly #watch = new Watch();
  readonly #survival = freshSurvival();
  /** Paid jobs that were there at the last look. */
  #jobs = new Set<string>();

  constructor(
    private readonly options: ScalerOptions,
    private readonly book: Book,
    private readonly meter: Meter,
    private readonly memory: ScalerMemory,
  ) {}

  look(look: Look): Observation {
    const { nowMs, last } = look;
    const { grid, settings, arrivals } = this.options;
    const state = grid.state();
    const price = look.dollarsPerCoreSecond;
    const spent: string[] = [];
    const facts = gridFacts(state, { nowMs, drainMs: settings.drainMs }, (job) => {
      const budget = job.terms.budgetDollars;
      if (budget === null || price <= 0 || !this.options.provider.priced) return Number.POSITIVE_INFINITY;
      // What an instance idles, boots and is over-provisioned by is somebody's cost as well.
      const left = ((budget - (this.meter.jobs.get(job.id) ?? 0)) * look.target.targetCpu) / price;
      if (left <= 0) spent.push(job.id);
      return Math.max(0, left);
    });
    for (const job of spent) grid.leaveToVolunteers(job);
    this.facts = facts;
    const { contributed, working } = facts;
    const isOpenJob = (job: string): boolean => state.jobs.has(job);
    this.meter.look(
      { rows: this.book.instances, working, contributed, dollarsPerCoreSecond: price, isOpen: isOpenJob },
      nowMs,
    );
    const strangers = facts.volunteers.filter(({ own }) => !own).map(({ node }) => node);
    watchVolunteers(this.#survival, strangers, nowMs);
    const leadMs = bootMs(this.memory, look.offerings[0]?.bootMs ?? 0);
    const horizonMs = Math.max(leadMs, settings.drainMs);
    arrivals?.observe({
      atMs: nowMs,
      arrived: this.#arrived(state),
      neededRate: last?.neededRate ?? 0,
      volunteerRate: last?.volunteerRate ?? 0,
      have: last?.have ?? 0,
    });
    // Other policies hear the forecast too, but do not go by it: so it can prove itself before it counts.
    const expected = arrivals?.expect(nowMs, leadMs) ?? { rate: 0, source: "none" as const };
    return {
      nowMs,
      measuredAtMs: nowMs,
      demand: facts.demand,
      arrivals: look.policy === "predictive" ? expected : { rate: 0, source: "none" },
      volunteers: facts.volunteers.map((volunteer) => ({
        ...volunteer,
        survival: volunteer.own ? 1 : survival(this.#survival, volunteer.node, horizonMs, nowMs),
      })),
      volunteerShare: facts.volunteerShare,
      replication: facts.replication,
      nodes: this.#watch.look(facts.nodes, nowMs),
      orders: [...this.book.orders.values()],
      instances: [...this.book.instances.values()],
      offerings: look.offerings,
      listing: look.listing,
      manual: look.manual,
      dollarsToday: this.meter.today(nowMs).dollars,
    };
  }

  /** Core-seconds of paid jobs that were not there at the last look. */
  #arrived(state: CoreState): number {
    let sum = 0;
    const jobs = new Set<string>();
    for (const job of state.jobs.values()) {
      if (job.terms.supply !== "paid" || job.phase === "admitting") continue;
      jobs.add(job.id);
      if (!this.#jobs.has(job.id)) sum += job.grains * job.grainCoreSeconds;
    }
    this.#jobs = jobs;
    return sum;
  }
}
