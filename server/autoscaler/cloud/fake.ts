/**
 * A cloud that does not exist, with the faults of those that do: listings that lag, replies that are lost, throttling,
 * markets that run dry, machines that never boot, spot instances that are taken back with and without notice, refused
 * terminations, outages. It keeps the real clouds' promises (idempotency by token, tags from the first moment, ends by
 * lifetime and by silence) and sends a bill, so that a simulation can hold the ledger against the truth.
 */
import type { Clock } from "../clock.ts";
import {
  type Boot,
  CloudError,
  type CloudInstance,
  type CloudProvider,
  type LaunchOrder,
  type LaunchReply,
  type Offering,
  type TerminateReply,
} from "./provider.ts";

export interface FakeFaults {
  /** What was launched, or ended, shows in listings this much later. */
  listLagMs: number;
  /** Milliseconds of a call. */
  callMs: [least: number, most: number];
  /** Probability that a launch's or termination's reply is lost after it took effect. */
  lostReply: number;
  /** Token bucket of calls that change something; null: no limit. */
  bucket: { size: number; perSecond: number } | null;
  /** Probability that a machine never brings up its worker. */
  bootFailure: number;
  /** Probability that a machine takes `slowFactor` times as long. */
  slowBoot: number;
  slowFactor: number;
  /** Spread of boot times around the offering's own. */
  bootSpread: number;
  /** Spot interruptions of one instance in an hour, beside what the offering says; share without notice. */
  spotLossPerHour: number;
  withoutNotice: number;
  /** Probability that a termination is refused. */
  terminateRefusal: number;
}

export const noFaults: FakeFaults = {
  listLagMs: 0,
  callMs: [50, 200],
  lostReply: 0,
  bucket: null,
  bootFailure: 0,
  slowBoot: 0,
  slowFactor: 20,
  bootSpread: 0.3,
  spotLossPerHour: 0,
  withoutNotice: 0.3,
  terminateRefusal: 0,
};

export interface FakeInstance {
  id: string;
  order: LaunchOrder;
  offering: Offering;
  launchedAtMs: number;
  bootedAtMs: number | null;
  /** Since when it costs nothing. */
  endedAtMs: number | null;
  endedBy: "terminate" | "interruption" | "lifetime" | "silence" | null;
  interruptionAtMs: number | null;
  /** When its worker last heard of the coordinator. */
  contactMs: number;
}

export interface FakeOptions {
  clock: Clock;
  /** Uniform in [0, 1). */
  random(): number;
  offerings: readonly Offering[];
  faults?: Partial<FakeFaults>;
  /** Machines left of an offering now; undefined: as many as asked for. */
  capacity?(offering: Offering, nowMs: number): number | undefined;
  /** Whether every call fails now. */
  outage?(nowMs: number): boolean;
  /** The machine's worker is up: it joins with its boot data and its own id. */
  onBoot?(instance: FakeInstance, boot: Boot): void;
  onNotice?(instance: FakeInstance): void;
  onEnd?(instance: FakeInstance): void;
  /** A call that would change something arrived. */
  onCall?(call: "launch" | "terminate", token: string): void;
}

const watchMs = 15_000;
const noticeMs = 120_000;
const hourMs = 3_600_000;

export class FakeCloud implements CloudProvider {
  readonly name = "fake";
  readonly priced = true;
  readonly faults: FakeFaults;
  readonly instances = new Map<string, FakeInstance>();
  readonly calls = { launch: 0, terminate: 0, list: 0, throttled: 0 };
  readonly #byToken = new Map<string, { order: string; reply: LaunchReply }>();
  #tokens: number;
  #tokensAtMs: number;
  #next = 1;

  constructor(private readonly options: FakeOptions) {
    this.faults = { ...noFaults, ...options.faults };
    this.#tokens = this.faults.bucket?.size ?? 0;
    this.#tokensAtMs = options.clock.now();
  }

  async offerings(): Promise<readonly Offering[]> {
    await this.#travel();
    this.#assertUp();
    return this.options.offerings;
  }

  async launch(order: LaunchOrder): Promise<LaunchReply> {
    this.calls.launch++;
    this.options.onCall?.("launch", order.token);
    await this.#travel();
    this.#assertUp();
    this.#spendToken();
    const parameters = JSON.stringify([order.offerings.map(({ id }) => id), order.count, order.boot]);
    const known = this.#byToken.get(order.token);
    if (known && known.order !== parameters) {
      throw new CloudError("invalid", `The token ${order.token} was used with other parameters.`);
    }
    const reply = known?.reply ?? this.#start(order);
    // A refusal is not remembered: the same token may succeed later, as with the real ones.
    if (reply.instances.length > 0) this.#byToken.set(order.token, { order: parameters, reply });
    await this.#travel();
    if (this.#chance(this.faults.lostReply)) throw new CloudError("unknown", "The reply was lost.");
    if (reply.instances.length === 0) throw refusal(reply);
    return structuredClone(reply);
  }

  async list(cluster: string): Promise<readonly CloudInstance[]> {
    this.calls.list++;
    await this.#travel();
    this.#assertUp();
    const now = this.options.clock.now();
    const seenMs = now - this.faults.listLagMs;
    return [...this.instances.values()]
      .filter(({ order, launchedAtMs }) => order.cluster === cluster && launchedAtMs <= seenMs)
      .filter(({ endedAtMs }) => endedAtMs === null || endedAtMs > seenMs - hourMs)
      .map((instance) => ({
        id: instance.id,
        token: instance.order.token,
        offering: instance.offering.id,
        state: instance.endedAtMs !== null && instance.endedAtMs <= seenMs ? ("gone" as const) : ("running" as const),
        launchedAtMs: instance.launchedAtMs,
        interruptionAtMs: instance.interruptionAtMs,
      }));
  }

  async terminate(ids: readonly string[]): Promise<TerminateReply> {
    this.calls.terminate++;
    this.options.onCall?.("terminate", ids.join());
    await this.#travel();
    this.#assertUp();
    this.#spendToken();
    const reply: TerminateReply = { accepted: [], refusals: [] };
    for (const id of ids) {
      const instance = this.instances.get(id);
      if (instance && instance.endedAtMs === null && this.#chance(this.faults.terminateRefusal)) {
        reply.refusals.push({ id, code: "unavailable", message: "Termination is refused now." });
        continue;
      }
      if (instance) this.end(instance, "terminate");
      reply.accepted.push(id);
    }
    await this.#travel();
    if (this.#chance(this.faults.lostReply)) throw new CloudError("unknown", "The reply was lost.");
    return reply;
  }

  async close(): Promise<void> {}

  /** The instance's worker heard of the coordinator. */
  contact(id: string): void {
    const instance = this.instances.get(id);
    if (instance) instance.contactMs = this.options.clock.now();
  }

  /** Dollars of everything until now. */
  bill(): number {
    const now = this.options.clock.now();
    let dollars = 0;
    for (const { launchedAtMs, endedAtMs, offering } of this.instances.values()) {
      dollars += (((endedAtMs ?? now) - launchedAtMs) / hourMs) * offering.price.dollarsPerHour;
    }
    return dollars;
  }

  running(): FakeInstance[] {
    return [...this.instances.values()].filter(({ endedAtMs }) => endedAtMs === null);
  }

  /** Takes an instance back, with or without notice. */
  interrupt(instance: FakeInstance, notice: boolean): void {
    if (instance.endedAtMs !== null || instance.interruptionAtMs !== null) return;
    const { clock } = this.options;
    if (!notice) {
      this.end(instance, "interruption");
      return;
    }
    instance.interruptionAtMs = clock.now() + noticeMs;
    this.options.onNotice?.(instance);
    clock.after(noticeMs, () => this.end(instance, "interruption"));
  }

  end(instance: FakeInstance, by: FakeInstance["endedBy"]): void {
    if (instance.endedAtMs !== null) return;
    instance.endedAtMs = this.options.clock.now();
    instance.endedBy = by;
    this.options.onEnd?.(instance);
  }

  #start(order: LaunchOrder): LaunchReply {
    const reply: LaunchReply = { instances: [], refusals: [] };
    const now = this.options.clock.now();
    for (const offering of order.offerings) {
      if (!this.options.offerings.some(({ id }) => id === offering.id)) {
        reply.refusals.push({ offering: offering.id, code: "invalid", message: "There is no such machine." });
        continue;
      }
      const missing = order.count - reply.instances.length;
      const free = Math.min(missing, this.options.capacity?.(offering, now) ?? missing);
      for (let n = 0; n < free; n++) reply.instances.push(this.#boot(order, offering));
      if (free < missing)
        reply.refusals.push({ offering: offering.id, code: "capacity", message: "No more of these now." });
      if (reply.instances.length >= order.count) break;
    }
    return reply;
  }

  #boot(order: LaunchOrder, offering: Offering): { id: string; offering: string } {
    const { clock } = this.options;
    const now = clock.now();
    const instance: FakeInstance = {
      id: `i-${this.#next++}`,
      order,
      offering,
      launchedAtMs: now,
      bootedAtMs: null,
      endedAtMs: null,
      endedBy: null,
      interruptionAtMs: null,
      contactMs: now,
    };
    this.instances.set(instance.id, instance);
    const spread = 1 + this.faults.bootSpread * (2 * this.options.random() - 1);
    const slow = this.#chance(this.faults.slowBoot) ? this.faults.slowFactor : 1;
    if (!this.#chance(this.faults.bootFailure)) {
      clock.after(offering.bootMs * spread * slow, () => {
        if (instance.endedAtMs !== null) return;
        instance.bootedAtMs = clock.now();
        instance.contactMs = clock.now();
        this.options.onBoot?.(instance, order.boot);
      });
    }
    clock.after(order.boot.lifetimeMs, () => this.end(instance, "lifetime"));
    this.#watch(instance, order.boot.silenceMs);
    const losses = this.faults.spotLossPerHour + (offering.market === "spot" ? offering.interruptionsPerHour : 0);
    if (offering.market === "spot" && losses > 0) {
      const lifeMs = (-Math.log(1 - this.options.random()) * hourMs) / losses;
      const notice = !this.#chance(this.faults.withoutNotice);
      if (lifeMs < order.boot.lifetimeMs) clock.after(lifeMs, () => this.interrupt(instance, notice));
    }
    return { id: instance.id, offering: offering.id };
  }

  /** The watchdog of the machine: it needs no worker, and looks from time to time. */
  #watch(instance: FakeInstance, silenceMs: number): void {
    this.options.clock.after(Math.min(watchMs, silenceMs), () => {
      if (instance.endedAtMs !== null) return;
      if (this.options.clock.now() - instance.contactMs >= silenceMs) this.end(instance, "silence");
      else this.#watch(instance, silenceMs);
    });
  }

  #chance(probability: number): boolean {
    return probability > 0 && this.options.random() < probability;
  }

  #travel(): Promise<void> {
    const [least, most] = this.faults.callMs;
    const ms = (least + (most - least) * this.options.random()) / 2;
    return new Promise((resolve) => this.options.clock.after(ms, resolve));
  }

  #assertUp(): void {
    if (this.options.outage?.(this.options.clock.now()))
      throw new CloudError("unavailable", "The cloud does not answer.");
  }

  #spendToken(): void {
    const { bucket } = this.faults;
    if (bucket === null) return;
    const now = this.options.clock.now();
    this.#tokens = Math.min(bucket.size, this.#tokens + ((now - this.#tokensAtMs) / 1000) * bucket.perSecond);
    this.#tokensAtMs = now;
    if (this.#tokens < 1) {
      this.calls.throttled++;
      throw new CloudError("throttled", "Too many calls.", Math.ceil(1000 / bucket.perSecond));
    }
    this.#tokens--;
  }
}

/** A launch that brought nothing is an error, of the first refusal's kind. */
function refusal(reply: LaunchReply): CloudError {
  const [first] = reply.refusals;
  return new CloudError(first?.code ?? "capacity", first?.message ?? "Nothing was launched.");
}
