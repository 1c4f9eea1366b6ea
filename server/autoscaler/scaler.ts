/**
 * The autoscaler's shell: observe, decide, commit what is intended, then call the provider, then commit what came of it.
 * One tick at a time; calls run beside it. Time, the record, the grid and the provider are ports, so that the simulator
 * runs this very code in virtual time.
 */
import type { Reason } from "../../protocol/rest.ts";
import type { CloudInstance, Offering } from "./cloud/provider.ts";
import { decide } from "./decide.ts";
import { regionCosts } from "./geography.ts";
import { costs, isOpen } from "./ledger.ts";
import { bootMs, freshMemory, type ScalerMemory } from "./memory.ts";
import type { Decision, Manual, Observation, OrderRow, PolicyName, Target } from "./model.ts";
import { Book } from "./shell/book.ts";
import { Calls } from "./shell/calls.ts";
import { Journal } from "./shell/journal.ts";
import { Leadership } from "./shell/leadership.ts";
import { Meter } from "./shell/meter.ts";
import type { GridFacts } from "./shell/observe.ts";
import { Observer } from "./shell/observer.ts";
import type { ScalerOptions } from "./shell/ports.ts";
import { put, type Records, rooms } from "./shell/records.ts";
import { joinTokenOf, readJoinToken } from "./shell/tokens.ts";
import { Upkeep } from "./shell/upkeep.ts";

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
  readonly #observer: Observer;
  readonly #leadership: Leadership;
  #listing: { atMs: number; instances: readonly CloudInstance[] } | null = null;
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
    this.#observer = new Observer(options, this.book, this.meter, this.memory);
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
      // One whose worker is silent may have been taken back.
      isBusy: () =>
        [...this.book.instances.values()].some(
          (row) => costs(row) && (row.state !== "REGISTERED" || !this.#isConnected(row.node)),
        ),
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

  /** Why nothing is done. */
  get holds(): readonly Reason[] {
    if (this.last) return this.last.holds;
    const seconds = this.options.timing.graceMs / 1_000;
    return [{ code: "starting", message: `Nodes come back first: for ${seconds} s at most nothing is decided.` }];
  }

  get fence(): number {
    return this.#leadership.fence;
  }

  get facts(): GridFacts | null {
    return this.#observer.facts;
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

  #isConnected(node: string | null): boolean {
    return node !== null && this.options.grid.state().nodes.get(node)?.connection != null;
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
    // A batch that failed meanwhile voids the book: it is read again first.
    if (this.#void) return;
    // From here to the commit nothing is waited for: what is decided is true of what is changed.
    const nowMs = this.now;
    const observation = this.#look(nowMs);
    if (this.#isStarting(nowMs)) return;
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
    this.#forgetEnded();
    const due = [...this.meter.takeWrites(nowMs), ...(this.options.arrivals?.takeWrites() ?? [])];
    await this.#committed(calls.length > 0 ? [...due, put(rooms.state, "counters", this.counters)] : due);
    this.#trouble("record", null);
    for (const call of calls) call();
    // What was drained without a lease can go at once.
    if (decision.actions.some(({ type }) => type === "drain")) this.#poke();
  }

  /** Nodes come back first: without them everything looks like a shortfall. */
  #isStarting(nowMs: number): boolean {
    const { graceMs, graceMsMin } = this.options.timing;
    const forMs = nowMs - this.#startedMs;
    return forMs < graceMsMin || (forMs < graceMs && this.options.grid.awaitsNodes());
  }

  #look(nowMs: number): Observation {
    const listing = this.#listing;
    this.#listing = null;
    if (this.manual && this.manual.untilMs <= nowMs) this.manual = null;
    const { policy, target, manual, offerings, last, dollarsPerCoreSecond } = this;
    return this.#observer.look({ nowMs, policy, target, manual, offerings, listing, last, dollarsPerCoreSecond });
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

  #forgetEnded(): void {
    for (const id of this.#joined.keys()) {
      const row = this.book.instances.get(id);
      if (!row || !costs(row)) this.#joined.delete(id);
    }
  }

  /** Joins that the record does not know since it failed: the instances are here, and do not say it again. */
  #recall(): void {
    for (const [id, { node, cloudId }] of this.#joined) {
      const row = this.book.instances.get(id);
      if (row && costs(row) && (row.node === null || row.state === "LAUNCHED" || isOpen(row))) {
        this.#calls.joined(row, node, cloudId);
      }
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
