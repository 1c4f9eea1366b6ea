/** A node, simulated: it computes toy grains at its own speed, keeps results until they are acknowledged, and has faults. */
import type { CoordinatorMessage, ResultMessage } from "../../protocol/messages.ts";
import { packPartials } from "../../protocol/partials.ts";
import { type ToyPayload, toyPartial } from "../../server/core/fixtures.ts";
import { build, capabilities, kernel, preferences } from "../../server/core/harness.ts";
import { forgedLease, type Held, heldLease, type NodeTraits, progressOf } from "./held.ts";
import type { Connection, Ends } from "./network.ts";
import type { World } from "./world.ts";

export class SimNode implements Ends {
  connection: Connection | null = null;
  /** Grains it computed, for the measure of waste. */
  grains = 0;
  liedResults = 0;
  welcomed = false;
  alive = true;
  /** Told so; it does not come back. */
  banned = false;
  #session = 0;
  #seq = 0;
  /** What is scheduled for an earlier life does not happen. */
  #life = 0;
  #stalledUntil = 0;
  #silentUntil = 0;
  readonly #leases = new Map<string, Held>();
  readonly #unacknowledged = new Map<number, ResultMessage>();
  readonly #forged = new Set<number>();
  readonly #payloads = new Map<string, ToyPayload>();

  constructor(
    private readonly world: World,
    readonly traits: NodeTraits,
  ) {}

  get unacknowledged(): number {
    return this.#unacknowledged.size;
  }

  sent(seq: number): ResultMessage | undefined {
    return this.#unacknowledged.get(seq);
  }

  connect(): void {
    if (!this.alive || this.connection || this.banned) return;
    const { world, traits } = this;
    const connection = world.connect(this, traits.latencyMs, traits.readerMs);
    this.connection = connection;
    this.welcomed = false;
    const holding = [...this.#leases.values()].map(heldLease);
    if (traits.forges && world.faults)
      holding.push(forgedLease(++this.#seq, world.random.pick([...this.#payloads.keys(), "none"])));
    connection.up(() =>
      world.coordinator.hello(connection, {
        node: traits.id,
        own: traits.own,
        // Several share a network, so that some may not compute what others did.
        network: traits.network,
        session: `${traits.id}#${this.#session}`,
        capabilities,
        preferences: preferences(traits.slots),
        holding,
        history: { acceptedSlices: 0, rejectedSlices: 0, coreSeconds: 0 },
      }),
    );
    this.#heartbeat(this.#life, connection);
  }

  #heartbeat(life: number, connection: Connection): void {
    this.world.timeline.after(this.world.config.heartbeatMs, () => {
      if (life !== this.#life || connection !== this.connection) return;
      if (this.welcomed && !this.#isSilent()) {
        const leases = [...this.#leases.values()].map((held) => progressOf(held, this.world.timeline.now));
        this.#up({ type: "progress", leases });
        for (const held of this.#leases.values()) this.#save(held);
      }
      this.#heartbeat(life, connection);
    });
  }

  /** Where a grain under way stands: a byte that says whether somebody put a lie in. */
  #save({ message, next, chunk }: Held): void {
    const { world, traits } = this;
    if (!chunk || next >= message.hi || !world.random.chance(0.5)) return;
    const isPassedOn = next === message.lo && message.checkpoint?.[0] === 1;
    const isPoisoned = isPassedOn || (traits.lies > 0 && world.faults && world.random.chance(0.3));
    world.count(isPoisoned ? "checkpoint saved, with a lie" : "checkpoint saved");
    const bytes = Uint8Array.of(isPoisoned ? 1 : 0);
    this.#up({ type: "checkpoint", lease: message.lease, grain: next, bytes });
  }

  #isSilent(): boolean {
    return this.world.timeline.now < this.#silentUntil;
  }

  #up(message: Parameters<World["coordinator"]["receive"]>[1], overtakes = false): void {
    const { connection } = this;
    if (!connection) return;
    const send = () => connection.up(() => this.world.coordinator.receive(connection, message), overtakes);
    // A frozen tab says nothing, and all of it when it thaws; only a broken connection loses messages.
    if (this.#isSilent()) this.world.timeline.at(this.#silentUntil, send);
    else send();
  }

  // ---- from the coordinator -------------------------------------------------------------------------

  received(message: CoordinatorMessage): void {
    switch (message.type) {
      case "welcome":
        this.#onWelcome(message.resumed);
        return;
      case "refuse":
        this.closed(message.retryMs ?? undefined);
        return;
      case "job":
        this.#payloads.set(message.job, (message.payload as { inline: ToyPayload }).inline);
        return;
      case "lease":
        if (this.#leases.has(message.lease)) throw new Error(`lease ${message.lease} came twice`);
        if (this.#leases.size >= 2 * this.traits.slots + 2) this.world.count("more leases than slots");
        if (message.checkpoint) this.world.count("went on from a checkpoint");
        this.#leases.set(message.lease, { message, next: message.lo, chunk: null });
        this.#fill();
        return;
      case "ack":
        this.#onAck(message.seqs, message.rejected);
        return;
      case "revoke":
        this.#leases.delete(message.lease);
        this.#fill();
        return;
      case "forget":
        for (const { message: lease } of [...this.#leases.values()]) {
          if (lease.job === message.job) this.#leases.delete(lease.lease);
        }
        this.#payloads.delete(message.job);
        this.#fill();
        return;
    }
  }

  #onWelcome(resumed: readonly string[]): void {
    this.welcomed = true;
    if (resumed.some((lease) => lease.startsWith("forged"))) throw new Error("a forged lease was resumed");
    if (resumed.length > 0) this.world.count("lease resumed");
    for (const lease of [...this.#leases.keys()]) if (!resumed.includes(lease)) this.#leases.delete(lease);
    if (this.#unacknowledged.size > 0) this.world.count("unacknowledged results sent again");
    for (const result of this.#unacknowledged.values()) this.#up(result);
    this.#fill();
  }

  #onAck(seqs: readonly number[], rejected: readonly { seq: number; reason: string }[]): void {
    for (const seq of seqs) {
      if (this.#forged.has(seq)) throw new Error("a forged result was acknowledged as good");
      this.#unacknowledged.delete(seq);
    }
    for (const { seq, reason } of rejected) {
      this.#unacknowledged.delete(seq);
      const honest = ["job_ended", "round_over"].includes(reason);
      if (!honest && !this.#forged.has(seq)) throw new Error(`an honest result was refused: ${reason}`);
      this.world.count(this.#forged.has(seq) ? "forged result refused" : `result refused: ${reason}`);
    }
  }

  closed(retryMs = this.world.random.log(500, 5_000)): void {
    if (!this.connection) return;
    this.connection.open = false;
    this.connection = null;
    this.#comeBack(retryMs);
  }

  #comeBack(ms: number): void {
    const life = this.#life;
    this.world.timeline.after(ms, () => {
      if (life === this.#life) this.connect();
    });
  }

  // ---- computing ------------------------------------------------------------------------------------

  #fill(): void {
    let free = this.traits.slots;
    for (const held of this.#leases.values()) {
      if (free-- <= 0) return;
      if (!held.chunk) this.#compute(held);
    }
  }

  #compute(held: Held): void {
    const { timeline, config } = this.world;
    const { message } = held;
    const payload = this.#payloads.get(message.job);
    if (!payload) throw new Error(`node ${this.traits.id} was never told of job ${message.job}`);
    const grainMs = (payload.cost / this.traits.speed) * 1_000;
    const grains = Math.max(1, Math.min(message.hi - held.next, Math.floor(config.flushMs / grainMs)));
    const from = timeline.now;
    const until = Math.max(from, this.#stalledUntil) + grains * grainMs;
    const chunk = { from, until, grains };
    held.chunk = chunk;
    const life = this.#life;
    timeline.at(until, () => {
      if (life === this.#life && this.#leases.get(message.lease) === held && held.chunk === chunk) {
        this.#computed(held, payload, grainMs);
      }
    });
  }

  #computed(held: Held, payload: ToyPayload, grainMs: number): void {
    const { world, traits } = this;
    const { message, chunk } = held;
    const grains = chunk?.grains ?? 0;
    // The stall may have begun in the middle of it.
    if (world.timeline.now < this.#stalledUntil) {
      world.timeline.at(this.#stalledUntil, () => {
        if (this.#leases.get(message.lease) === held && held.chunk === chunk) this.#computed(held, payload, grainMs);
      });
      return;
    }
    held.chunk = null;
    if (world.faults && world.random.chance(traits.fails)) {
      world.count("grain failed");
      this.#leases.delete(message.lease);
      const reason = world.random.chance(0.3) ? "device_lost" : "kernel_trap";
      this.#up({ type: "fail", lease: message.lease, grain: held.next, reason, message: "simulated" });
    } else {
      this.#report(held, payload, grains, grains * grainMs);
      held.next += grains;
      if (held.next >= message.hi) this.#leases.delete(message.lease);
    }
    this.#fill();
  }

  #report(held: Held, payload: ToyPayload, grains: number, computeMs: number): void {
    const { world, traits } = this;
    const { lease, ticket, job, round, lo: leaseLo, hi: leaseHi, backend } = held.message;
    const lies = world.random.chance(traits.lies);
    if (lies) this.liedResults++;
    const partials: Uint8Array[] = [];
    for (let grain = held.next; grain < held.next + grains; grain++) {
      const isLed = grain === leaseLo && held.message.checkpoint?.[0] === 1;
      const wrong = lies || isLed || (traits.partly > 0 && world.random.chance(traits.partly));
      if (wrong) world.count("wrong partial");
      partials.push(toyPartial(payload.seed, round, grain, wrong));
    }
    this.grains += grains;
    const lo = held.next;
    const range = { leaseLo, leaseHi, lo, hi: lo + grains };
    const signed = { root: new Uint8Array(32), signature: new Uint8Array(64) };
    const body = { backend, kernel, build, partials: packPartials(partials), computeMs, ...signed };
    const result = { type: "result" as const, seq: ++this.#seq, lease, ticket, job, round, ...range, ...body };
    this.#unacknowledged.set(result.seq, result);
    const overtakes = world.faults && world.random.chance(0.03);
    if (overtakes) world.count("message overtaken");
    this.#up(result, overtakes);
    if (world.faults && world.random.chance(0.05)) {
      world.count("result sent twice");
      this.#up(result);
    }
    if (world.faults && traits.forges && world.random.chance(0.2)) this.#forge(result);
  }

  #forge(result: ResultMessage): void {
    const seq = ++this.#seq;
    this.#forged.add(seq);
    const forged = { ...result, seq, lease: `forged.${seq}`, leaseLo: 0, lo: 0, hi: result.hi - result.lo };
    this.#up(forged);
  }

  // ---- faults ---------------------------------------------------------------------------------------

  /** Everything is lost; the identity comes back with another session. */
  crash(backMs: number, halfOpen: boolean): void {
    this.#life++;
    this.#session++;
    this.#leases.clear();
    this.#unacknowledged.clear();
    this.#payloads.clear();
    this.#drop(halfOpen);
    this.world.timeline.after(backMs, () => this.connect());
  }

  /** The connection breaks; what is held and kept goes on. */
  loseConnection(backMs: number, halfOpen: boolean): void {
    if (!this.connection) return;
    this.#drop(halfOpen);
    this.#comeBack(backMs);
  }

  #drop(halfOpen: boolean): void {
    const { connection } = this;
    if (!connection) return;
    this.connection = null;
    connection.open = false;
    if (!halfOpen) {
      this.world.timeline.after(this.traits.latencyMs, () => this.world.coordinator.disconnected(connection));
    }
  }

  stall(ms: number): void {
    this.#stalledUntil = this.world.timeline.now + ms;
  }

  fallSilent(ms: number): void {
    this.#silentUntil = this.world.timeline.now + ms;
  }

  /** A volunteer presses Stop: finished grains were sent, the rest goes back. */
  stop(backMs: number): void {
    if (!this.connection || !this.welcomed) return;
    for (const lease of [...this.#leases.keys()]) this.#up({ type: "release", lease, reason: "stopped" });
    this.#leases.clear();
    this.#up({ type: "bye", reason: "stopped" });
    const connection = this.connection;
    this.connection = null;
    connection.up(() => {
      connection.open = false;
      this.world.coordinator.disconnected(connection);
    });
    this.#comeBack(backMs);
  }

  /** Honest from now on, quick to read, and awake. */
  heal(): void {
    this.#stalledUntil = 0;
    this.#silentUntil = 0;
    this.traits.lies = 0;
    this.traits.partly = 0;
    this.traits.fails = 0;
    this.traits.readerMs = 0;
    if (this.connection) this.connection.readerMs = 0;
    else this.connect();
  }
}
