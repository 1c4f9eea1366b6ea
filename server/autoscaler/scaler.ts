/**
 * The autoscaler's shell: observe, decide, commit what is intended, then call the provider, then commit what came of it.
 * One tick at a time; calls run beside it. Time, the record, the grid and the provider are ports, so that the simulator
 * runs this very code in virtual time.
 */
import type { Reason } from "../../protocol/rest.ts";
import type { CoreState } from "../core/state.ts";
import type { Clock } from "./clock.ts";
import type { CloudInstance, CloudProvider, Offering } from "./cloud/provider.ts";
import { decide } from "./decide.ts";
import { regionCosts } from "./geography.ts";
import { costs, isOpen } from "./ledger.ts";
import { bootMs, freshMemory, type ScalerMemory } from "./memory.ts";
import type { Decision, Manual, Observation, OrderRow, PolicyName, Target } from "./model.ts";
import type { Settings } from "./settings.ts";
import { Book } from "./shell/book.ts";
import { Calls } from "./shell/calls.ts";
import { Journal } from "./shell/journal.ts";
import { Leadership } from "./shell/leadership.ts";
import { Meter } from "./shell/meter.ts";
import { type GridFacts, gridFacts } from "./shell/observe.ts";
import { put, type Records, rooms } from "./shell/records.ts";
import { joinTokenOf, readJoinToken } from "./shell/tokens.ts";
import { type Timing, Upkeep } from "./shell/upkeep.ts";
import { Watch } from "./shell/watch.ts";
import { freshSurvival, survival, watchVolunteers } from "./survival.ts";

export interface ScalerGrid {
  state(): CoreState;
  /** The node gets no new work, or gets it again. */
  retire(node: string, retiring: boolean): void;
  /** Nobody pays for the job any more. */
  leaveToVolunteers(job: string): void;
}

export interface ArrivalPoint {
  atMs: number;
  /** Core-seconds per second. */
  arrived: number;
  expected: number | null;
  needed_rate: number;
  volunteer_rate: number;
  have: number;
}

export interface Arrivals {
  load(records: Records): Promise<void>;
  /** What is due to be written. */
  takeWrites(): Parameters<Records["written"]>[0];
  /** What came, beside what had been expected, oldest first. */
  points(): ArrivalPoint[];
  /** Told of each look; `arrived`: core-seconds of paid work that came since the last. */
  observe(look: { atMs: number; arrived: number; neededRate: number; volunteerRate: number; have: number }): void;
  /** What will arrive over the lead time, beyond what is queued. */
  expect(nowMs: number, leadMs: number): Observation["arrivals"];
}

export interface ScalerOptions {
  provider: CloudProvider;
  clock: Clock;
  records: Records;
  grid: ScalerGrid;
  /** Keyed by a secret that is stable over restarts. */
  mac(text: string): string;
  /** Eight or more unpredictable characters of [a-z0-9]. */
  random(): string;
  /** Tag of everything that this grid launches: [a-z0-9-], at most 40 characters. */
  cluster: string;
  /** Where instances reach the coordinator. */
  coordinatorUrl(): string;
  policy: PolicyName;
  target: Target;
  settings: Settings;
  timing: Timing;
  /** Dollars of a core-second that volunteers save, where the provider itself sends no bill. */
  dollarsPerCoreSecond: number;
  arrivals?: Arrivals;
  log(code: string, message: string): void;
}

interface Counters {
  ups: number;
  downs: number;
  lastActionMs: number | null;
}

export class Scaler {
  readonly book = new Book();
  readonly journal = new Journal();
  readonly meter = new Meter();
  readonly memory: ScalerMemory = freshMemory();
  policy: PolicyName;
  target: Target;
  manual: Manual | null = null;
  counters: Counters = { ups: 0, downs: 0, lastActionMs: null };
  last: Decision | null = null;
  offerings: readonly Offering[] = [];
  /** Why nothing can be decided: the record, or the provider. */
  readonly troubles = new Map<string, Reason>();
  readonly #calls: Calls;
  readonly #upkeep: Upkeep;
  readonly #watch = new Watch();
  readonly #survival = freshSurvival();
  readonly #leadership: Leadership;
  #listing: { atMs: number; instances: readonly CloudInstance[] } | null = null;
  #facts: GridFacts | null = null;
  /** Jobs seen, and the core-seconds of those that were not seen before. */
  #jobs = new Set<string>();
  /** Who joined as which instance, in this process. */
  readonly #joined = new Map<string, { node: string; cloudId: string | null }>();
  #startedMs = 0;
  #orders = 0;
  #ticking = false;
  #again = false;
  #stopped = false;
  #void = false;
  #cancel: (() => void) | null = null;

  constructor(readonly options: ScalerOptions) {
    this.policy = options.policy;
    this.target = options.target;
    this.#leadership = new Leadership(options.records, options.random());
    this.#calls = new Calls({
      ...options,
      book: this.book,
      memory: this.memory,
      boot: (order) => ({
        coordinatorUrl: options.coordinatorUrl(),
        joinToken: joinTokenOf(options.mac, order.token),
        lifetimeMs: order.lifetimeMs,
        silenceMs: options.settings.silenceMs,
      }),
      commit: () => this.#commit(),
      serve: (node, serves) => options.grid.retire(node, !serves),
      settled: () => this.#poke(),
    });
    this.#upkeep = new Upkeep({
      ...options,
      isBusy: () => [...this.book.instances.values()].some((row) => costs(row) && row.state !== "REGISTERED"),
      listed: (listing) => {
        this.#listing = listing;
        this.#poke();
      },
      offered: (offerings) => {
        this.offerings = offerings;
        this.#poke();
      },
      trouble: (code, reason) => this.#trouble(code, reason),
    });
  }

  /** Reads the record, becomes the leader, and begins. Rejects where the record cannot be read or written. */
  async start(): Promise<void> {
    await this.#load();
    await this.#leadership.claim();
    this.#startedMs = this.options.clock.now();
    this.#schedule(0);
  }

  /** Begins nothing more. Instances live on: they end by themselves, or the next process finds them. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#calls.settled();
  }

  get now(): number {
    return this.options.clock.now();
  }

  get fence(): number {
    return this.#leadership.fence;
  }

  get facts(): GridFacts | null {
    return this.#facts;
  }

  get bootMs(): number | null {
    const boots = this.memory.bootMs;
    return boots.length > 0 ? bootMs(this.memory, Math.max(...boots)) : null;
  }

  /** Sets policy and target, durable when it resolves. */
  async change(by: string, policy: PolicyName, target: Target, message: string): Promise<void> {
    this.policy = policy;
    this.target = target;
    this.journal.changed(by, { code: "changed", message }, policy, this.now);
    await this.#commit([put(rooms.state, "target", { policy, target })]);
    this.#poke();
  }

  /** A person's wish, durable when it resolves; null takes it back. */
  async wish(by: string, manual: Manual | null, message: string): Promise<void> {
    this.manual = manual;
    this.journal.changed(by, { code: "manual", message }, this.policy, this.now);
    await this.#commit([put(rooms.state, "manual", manual)]);
    this.#poke();
  }

  /** Whether an identity may join with this token; it is bound to the token's machine then, and to no other. */
  admit(token: string, node: string): boolean {
    const { mac, log } = this.options;
    const read = readJoinToken(mac, token);
    if (!read || !this.book.orders.has(read.order)) return false;
    const rows = this.book.rowsOf(read.order);
    const row =
      rows.find((each) => each.node === node) ??
      (read.cloudId === null
        ? rows.find((each) => each.node === null && (each.state === "LAUNCHED" || isOpen(each)))
        : (rows.find((each) => each.cloudId === read.cloudId) ??
          rows.find((each) => each.cloudId === null && (isOpen(each) || each.state === "FAILED"))));
    if (!row || row.state === "GONE" || (row.node !== null && row.node !== node)) {
      log("instance_refused", `Node ${node} came with the token of ${read.order}, which others use or which is over.`);
      return false;
    }
    this.#calls.joined(row, node, read.cloudId);
    this.#joined.set(row.id, { node, cloudId: read.cloudId });
    // Not waited for: a join that is not on record is known here, and else told anew by the instance itself.
    this.#commit().catch(() => this.#poke());
    return true;
  }

  // ---- the loop -------------------------------------------------------------------------------------

  #schedule(ms: number): void {
    this.#cancel?.();
    if (this.#stopped) return;
    this.#cancel = this.options.clock.after(ms, () => void this.tick());
  }

  /** Something is news: the next look is soon. */
  #poke(): void {
    if (this.#ticking) this.#again = true;
    else this.#schedule(Math.min(50, this.options.timing.tickMs));
  }

  /** One look and what follows from it. Never rejects. */
  async tick(): Promise<void> {
    if (this.#ticking || this.#stopped) return;
    this.#ticking = true;
    this.#again = false;
    try {
      if (this.#void) await this.#load();
      this.#upkeep.look();
      await this.#turn();
    } catch (error) {
      this.#void = true;
      const message = error instanceof Error ? error.message : String(error);
      this.#trouble("record", { code: "record", message: `The autoscaler's record cannot be used: ${message}` });
    } finally {
      this.#ticking = false;
      this.#schedule(this.#again ? Math.min(50, this.options.timing.tickMs) : this.options.timing.tickMs);
    }
  }

  async #turn(): Promise<void> {
    const { settings } = this.options;
    const leads = await this.#leadership.holds();
    // From here to the commit nothing is waited for: what is decided is true of what is changed.
    const nowMs = this.now;
    const observation = this.#observe(nowMs);
    // Nodes come back first: without them everything looks like a shortfall.
    if (nowMs - this.#startedMs < this.options.timing.graceMs) return;
    const { policy, target } = this;
    const decision = decide(this.memory, observation, {
      policy,
      target,
      settings,
      regionCost: regionCosts(observation.instances),
    });
    if (policy === "predictive" && observation.arrivals.source !== "forecast") {
      const message = "No forecast has proven itself yet: it scales as the reactive policy does.";
      decision.holds.push({ code: "no_forecast", message });
    }
    this.last = decision;
    if (!leads) {
      this.#trouble("leader", {
        code: "not_leader",
        message: "Another autoscaler has taken over; this one only watches.",
      });
      return;
    }
    this.#trouble("leader", null);
    this.journal.decided(decision);
    const calls = this.#calls.apply(decision, (action) => this.#orderOf(action, nowMs));
    this.#count(decision, nowMs);
    this.book.prune(nowMs);
    const due = [...this.meter.takeWrites(nowMs), ...(this.options.arrivals?.takeWrites() ?? [])];
    await this.#committed(calls.length > 0 ? [...due, put(rooms.state, "counters", this.counters)] : due);
    this.#trouble("record", null);
    for (const call of calls) call();
  }

  #observe(nowMs: number): Observation {
    const { grid, settings, arrivals } = this.options;
    const state = grid.state();
    const price = this.dollarsPerCoreSecond;
    const spent: string[] = [];
    const facts = gridFacts(state, (job) => {
      const budget = job.terms.budgetDollars;
      if (budget === null || price <= 0 || !this.options.provider.priced) return Number.POSITIVE_INFINITY;
      // What an instance idles, boots and is over-provisioned by is somebody's cost as well.
      const left = ((budget - (this.meter.jobs.get(job.id) ?? 0)) * this.target.targetCpu) / price;
      if (left <= 0) spent.push(job.id);
      return Math.max(0, left);
    });
    for (const job of spent) grid.leaveToVolunteers(job);
    this.#facts = facts;
    const { contributed, working } = facts;
    const isOpenJob = (job: string): boolean => state.jobs.has(job);
    this.meter.look(
      { rows: this.book.instances, working, contributed, dollarsPerCoreSecond: price, isOpen: isOpenJob },
      nowMs,
    );
    const strangers = facts.volunteers.filter(({ own }) => !own).map(({ node }) => node);
    watchVolunteers(this.#survival, strangers, nowMs);
    const leadMs = bootMs(this.memory, this.offerings[0]?.bootMs ?? 0);
    const horizonMs = Math.max(leadMs, settings.drainMs);
    arrivals?.observe({
      atMs: nowMs,
      arrived: this.#arrived(state),
      neededRate: this.last?.neededRate ?? 0,
      volunteerRate: this.last?.volunteerRate ?? 0,
      have: this.last?.have ?? 0,
    });
    // Other policies hear the forecast too, but do not go by it: so it can prove itself before it counts.
    const expected = arrivals?.expect(nowMs, leadMs) ?? { rate: 0, source: "none" as const };
    const listing = this.#listing;
    this.#listing = null;
    if (this.manual && this.manual.untilMs <= nowMs) this.manual = null;
    return {
      nowMs,
      measuredAtMs: nowMs,
      demand: facts.demand,
      arrivals: this.policy === "predictive" ? expected : { rate: 0, source: "none" },
      volunteers: facts.volunteers.map((volunteer) => ({
        ...volunteer,
        survival: volunteer.own ? 1 : survival(this.#survival, volunteer.node, horizonMs, nowMs),
      })),
      volunteerShare: facts.volunteerShare,
      replication: facts.replication,
      nodes: this.#watch.look(facts.nodes, nowMs),
      orders: [...this.book.orders.values()],
      instances: [...this.book.instances.values()],
      offerings: this.offerings,
      listing,
      manual: this.manual,
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

  /** What a core-second costs where it is bought; what volunteers' work is worth. */
  get dollarsPerCoreSecond(): number {
    const { provider, dollarsPerCoreSecond } = this.options;
    if (!provider.priced) return dollarsPerCoreSecond;
    const prices = this.offerings.map(({ price, cores }) => price.dollarsPerHour / Math.max(1, cores));
    return prices.length > 0 ? Math.min(...prices) / 3_600 : dollarsPerCoreSecond;
  }

  #orderOf(action: { offerings: readonly Offering[]; count: number; reason: Reason }, nowMs: number): OrderRow {
    const { cluster, random, settings } = this.options;
    const number = (++this.#orders).toString(36);
    return {
      token: `${cluster}-${this.fence.toString(36)}-${number}-${random()}`.slice(0, 64),
      offerings: action.offerings,
      count: action.count,
      lifetimeMs: settings.lifetimeMs,
      createdAtMs: nowMs,
      attempts: 1,
      nextAttemptAtMs: nowMs,
      reason: action.reason,
    };
  }

  #count(decision: Decision, nowMs: number): void {
    for (const { type } of decision.actions) {
      if (type === "launch") this.counters.ups++;
      else if (type === "drain") this.counters.downs++;
      else continue;
      this.counters.lastActionMs = nowMs;
    }
  }

  // ---- the record -----------------------------------------------------------------------------------

  async #load(): Promise<void> {
    const { records } = this.options;
    await this.book.load(records, this.now);
    // Nodes come back after a restart: since when they are silent counts from now.
    for (const row of this.book.instances.values()) {
      if (row.state === "REGISTERED") this.book.note(row.id, { stateAtMs: this.now });
    }
    await this.journal.load(records);
    await this.meter.load(records);
    await this.options.arrivals?.load(records);
    const state = new Map((await records.documents(rooms.state)).map(({ key, value }) => [key, JSON.parse(value)]));
    this.#recall();
    this.manual = (state.get("manual") as Manual | undefined) ?? null;
    this.counters = (state.get("counters") as Counters | undefined) ?? this.counters;
    this.#void = false;
    await this.#committed([]);
  }

  /** Joins that the record does not know since it failed: the instances are here, and do not say it again. */
  #recall(): void {
    for (const [id, { node, cloudId }] of this.#joined) {
      const row = this.book.instances.get(id);
      if (!row || !costs(row)) this.#joined.delete(id);
      else if (row.node === null || row.state === "LAUNCHED" || isOpen(row)) this.#calls.joined(row, node, cloudId);
    }
  }

  async #committed(more: Parameters<Records["written"]>[0]): Promise<void> {
    const writes = [...this.book.takeWrites(), ...this.journal.takeWrites(), ...more];
    if (writes.length > 0) await this.options.records.written(writes);
  }

  /** Rejects, and voids what is in memory, where the record does not take it. */
  async #commit(more: Parameters<Records["written"]>[0] = []): Promise<void> {
    try {
      await this.#committed(more);
    } catch (error) {
      this.#void = true;
      throw error;
    }
  }

  #trouble(what: string, reason: Reason | null): void {
    const before = this.troubles.get(what);
    if (reason === null) {
      this.troubles.delete(what);
      return;
    }
    this.troubles.set(what, reason);
    if (before?.message !== reason.message) this.options.log(`scaler_${what}`, reason.message);
  }
}
