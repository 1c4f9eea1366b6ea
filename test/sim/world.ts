/**
 * One run: a grid of nodes whose speeds span four orders of magnitude, jobs, and faults, all from one seed. Then the
 * faults end, and everything that was promised must come true in bounded time.
 */
import type { CorePorts } from "../../server/core/events.ts";
import type { ToyPayload } from "../../server/core/fixtures.ts";
import { step as coreStep } from "../../server/core/grid.ts";
import { type CoreConfig, defaultConfig } from "../../server/core/limits.ts";
import { SimClient } from "./client.ts";
import { SimCoordinator, type Step } from "./coordinator.ts";
import { Connection } from "./network.ts";
import { SimNode } from "./node.ts";
import { Random } from "./random.ts";
import { Record } from "./record.ts";
import { Timeline } from "./timeline.ts";

export interface WorldOptions {
  seed: number;
  nodes?: number;
  /** Liars lie in any grain with this probability, instead of in all of a result. */
  partly?: number;
  /** Core-seconds of a job's grains, log-uniform between these. Light grains make results of many grains. */
  costs?: readonly [lo: number, hi: number];
  /** For tests of the simulator itself: another core, with a bug. */
  core?: { step: Step; ports: CorePorts };
}

/** Milliseconds of virtual time while faults happen. */
const faultsMs = 60_000;

const ticket: CorePorts["ticket"] = ({ id, job, round, lo, hi, node }) => `${id}|${job}|${round}|${lo}|${hi}|${node}`;

export class World {
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly record = new Record();
  readonly client: SimClient;
  readonly coordinator: SimCoordinator;
  readonly nodes: SimNode[] = [];
  readonly kinds = new Map<string, number>();
  readonly config: CoreConfig;
  readonly core: { step: Step; ports: CorePorts };
  /** Every event by itself, or every turn of events: as often as time allows. */
  readonly checkEveryEvent: boolean;
  readonly costs: readonly [lo: number, hi: number];
  faults = true;
  healedMs = 0;
  #connections = 0;

  constructor(private readonly options: WorldOptions) {
    this.random = new Random(options.seed);
    this.checkEveryEvent = options.seed % 8 === 0;
    const extentGrains = this.random.pick([16, 64, 1 << 16]);
    this.config = { ...defaultConfig, extentGrains, sliceGrainsMax: this.random.pick([8, 64, 1024]) };
    this.core = options.core ?? { step: coreStep, ports: { ticket } };
    this.costs = options.costs ?? [1, 100];
    this.client = new SimClient(this);
    this.coordinator = new SimCoordinator(this);
  }

  count(kind: string): void {
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
  }

  /** Only who lied may be banned. */
  banned(id: string): void {
    if (!this.nodes.some(({ traits }) => traits.id === id && traits.liar))
      throw new Error(`${id} is banned, and honest`);
  }

  connect(node: SimNode, latencyMs: number, readerMs: number): Connection {
    return new Connection(++this.#connections, node, this.timeline, this.random, latencyMs, readerMs);
  }

  /** Runs until every job ended, or the time for it is over. Outputs are not looked at. */
  runUnjudged(): void {
    this.coordinator.start();
    this.#populate();
    this.#schedule();
    this.timeline.run(faultsMs);
    this.#heal();
    this.timeline.run(faultsMs + this.#healedMsMax(), () => this.#isDone());
    this.healedMs = this.timeline.now - faultsMs;
  }

  /** Runs it all. Throws where something promised was not kept. */
  run(): this {
    this.runUnjudged();
    this.client.assertKept();
    this.timeline.run(this.timeline.now + 120_000);
    this.#assertTidy();
    return this;
  }

  /**
   * Time within which all must be done once the faults end: what a node that was punished waits at most, and as long
   * as the own nodes alone would take for everything, twice, since every slow grain may be audited.
   */
  #healedMsMax(): number {
    let own = 0;
    for (const { traits } of this.nodes) if (traits.own) own += traits.speed * traits.slots;
    let work = 0;
    for (const { seed } of this.record.jobs.values()) {
      const { grains, cost, rounds } = seed.payload as ToyPayload;
      work += grains * cost * rounds;
    }
    return this.config.rejectedMsMax + (2 * work * 1_000) / own;
  }

  #isDone(): boolean {
    if (!this.coordinator.up || this.coordinator.state.jobs.size > 0) return false;
    for (const job of this.record.jobs.values()) if (!job.end) return false;
    return true;
  }

  #populate(): void {
    const { random } = this;
    const count = this.options.nodes ?? 100;
    const own = random.int(1, 2);
    const partly = this.options.partly ?? 0;
    for (let index = 0; index < count; index++) {
      const isOwn = index < own;
      const lies = !isOwn && index % 10 === 3;
      const node = new SimNode(this, {
        id: `${isOwn ? "own" : "n"}${index}`,
        own: isOwn,
        network: `network ${index % 40}`,
        speed: isOwn ? random.log(20, 100) : random.log(0.01, 100),
        slots: random.int(isOwn ? 4 : 1, 8),
        latencyMs: random.log(1, 300),
        readerMs: !isOwn && random.chance(0.05) ? random.log(1_000, 20_000) : 0,
        liar: lies,
        lies: lies && partly === 0 ? 0.8 : 0,
        partly: lies ? partly : 0,
        fails: index >= own && index < own + 4 ? 0.1 : 0,
        forges: index === own + 4,
      });
      if (node.traits.readerMs > 0) this.count("slow reader");
      this.nodes.push(node);
      this.timeline.after(random.between(0, 10_000), () => node.connect());
    }
  }

  #schedule(): void {
    const { random, timeline } = this;
    const jobs = random.int(5, 9);
    for (let job = 0; job < jobs; job++) {
      timeline.at(random.between(0, faultsMs * 0.8), () => {
        if (this.coordinator.up) this.client.submitOne();
      });
    }
    for (let deaths = random.int(1, 3); deaths > 0; deaths--) {
      timeline.at(random.between(2_000, faultsMs - 5_000), () => this.#coordinatorDies());
    }
    this.#soon();
  }

  #coordinatorDies(): void {
    if (!this.coordinator.up) return;
    const kept = this.random.chance(0.5);
    this.count(kept ? "coordinator died, batch kept" : "coordinator died, batch lost");
    this.coordinator.die(kept);
    this.timeline.after(this.random.log(10, 5_000), () => this.coordinator.start());
  }

  /** A fault at some node, and the next one soon. */
  #soon(): void {
    this.timeline.after(this.random.between(100, 900), () => {
      if (!this.faults) return;
      const own = this.nodes.filter((node) => node.traits.own);
      this.#faultAt(this.random.pick(this.random.chance(0.1) ? own : this.nodes));
      if (own.every((node) => !node.connection)) this.count("no own node");
      this.#soon();
    });
  }

  #faultAt(node: SimNode): void {
    const { random } = this;
    const halfOpen = random.chance(0.3);
    const suffix = halfOpen ? ", half open" : "";
    switch (random.int(0, 4)) {
      case 0:
        this.count(`${node.traits.own ? "own node" : "node"} crashed${suffix}`);
        node.crash(random.log(100, 20_000), halfOpen);
        return;
      case 1:
        this.count(`connection lost${suffix}`);
        node.loseConnection(random.log(100, 40_000), halfOpen);
        return;
      case 2:
        this.count("node stalled");
        node.stall(random.log(1_000, 60_000));
        return;
      case 3:
        this.count("node silent");
        node.fallSilent(random.log(1_000, 60_000));
        return;
      case 4:
        this.count("node stopped");
        node.stop(random.log(500, 20_000));
        return;
    }
  }

  #heal(): void {
    this.faults = false;
    if (!this.coordinator.up) this.coordinator.start();
    for (const node of this.nodes) node.heal();
  }

  /** Nothing is left over once everything ended. */
  #assertTidy(): void {
    const { state, judge } = this.coordinator;
    const left = {
      leases: state.leases.size,
      audits: state.audits.size,
      replicas: state.replicas.size,
      ring: state.ring.length,
      tail: state.tail.size,
    };
    for (const [what, count] of Object.entries({ ...left, rooms: judge.rooms })) {
      if (count > 0) throw new Error(`${count} ${what} are left over`);
    }
    for (const node of this.nodes) {
      if (node.unacknowledged > 0 && !node.banned)
        throw new Error(`${node.traits.id} keeps ${node.unacknowledged} results for ever`);
    }
  }
}
