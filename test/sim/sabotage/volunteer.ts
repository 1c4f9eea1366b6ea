/** One machine of the crowd: it computes what it is leased at its own speed, lies or errs as it is drawn, and goes. */
import type { ResultMessage } from "../../../protocol/messages.ts";
import { build, capabilities, kernel, preferences } from "../../../server/core/harness.ts";
import type { Lease } from "../../../server/core/state.ts";
import type { Random } from "../random.ts";
import type { Ear, SabotageGrid } from "./grid.ts";
import { lies, type Volunteer, wrongShare } from "./population.ts";
import { rightAnswers, setAnswer } from "./record.ts";

const patienceMs = 300_000;
/** What all saboteurs answer, so that they confirm each other. */
const agreed = 1;
/** What a fault of an honest machine makes of an answer: no two the same, as far as a byte goes. */
const faulty = (random: Random): number => random.int(2, 255);

export interface Crowd {
  grid: SabotageGrid;
  random: Random;
  /** A number in [0, 1) that all saboteurs know of a run of grains, and nobody else. */
  secretOf(job: string, grain: number): number;
  /** Whether another saboteur holds grains of the lease now; of audits and replicas nobody knows in advance. */
  isPartnered(machine: Machine, lease: Lease): boolean;
  nextIdentity(): string;
  /** An identity joins. */
  registered(id: string, isSaboteur: boolean): void;
  /** Its owner went: somebody else comes. */
  left(volunteer: Machine): void;
}

export class Machine implements Ear {
  id: string;
  readonly #network: string;
  #connection = 0;
  /** Slices that this identity answered. */
  #done = 0;
  #left: number;
  #queue: Lease[] = [];
  #current: Lease | null = null;
  #gone = false;
  #idleSince = 0;

  constructor(
    private readonly crowd: Crowd,
    readonly traits: Volunteer,
    readonly own = false,
    private readonly slots = 1,
  ) {
    this.id = crowd.nextIdentity();
    this.#network = own ? "own" : this.id;
    this.#left = traits.slices;
    this.#join();
    if (!own) this.#watch();
  }

  /** A volunteer that is given nothing for long, as one with a broken machine is, goes. */
  #watch(): void {
    const { timeline } = this.crowd.grid;
    timeline.after(patienceMs / 4, () => {
      if (this.#gone) return;
      if (this.#current || this.#queue.length > 0) this.#idleSince = timeline.now;
      if (timeline.now - this.#idleSince >= patienceMs) this.#go();
      else this.#watch();
    });
  }

  #join(): void {
    this.#idleSince = this.crowd.grid.timeline.now;
    const { grid } = this.crowd;
    this.crowd.registered(this.id, this.traits.strategy !== null);
    const gpu = this.traits.fault === "buggy";
    const hello = {
      node: this.id,
      own: this.own,
      network: this.#network,
      session: this.id,
      capabilities: gpu ? { ...capabilities, gpu: brokenGpu } : capabilities,
      preferences: gpu ? preferences(0, 1) : preferences(this.slots),
      holding: [],
      history: { acceptedSlices: 0, rejectedSlices: 0, coreSeconds: 0 },
    };
    this.#connection = grid.connect(this, hello, this.traits.speed);
  }

  leased(lease: Lease): void {
    this.#queue.push(lease);
    this.crowd.grid.timeline.after(0, () => this.#next());
  }

  holds(job: string, lo: number, hi: number): boolean {
    return [...this.#queue, ...(this.#current ? [this.#current] : [])].some(
      (lease) => lease.job === job && lease.lo < hi && lease.hi > lo,
    );
  }

  revoked(id: string): void {
    this.#queue = this.#queue.filter((lease) => lease.id !== id);
  }

  /** A saboteur that whitewashes comes back as somebody else; the others are gone for good. */
  banned(): void {
    this.#queue = [];
    if (this.#gone) return;
    if (this.traits.strategy !== "whitewash") {
      this.#go();
      return;
    }
    this.id = this.crowd.nextIdentity();
    this.#done = 0;
    this.#join();
  }

  closed(): void {
    this.#go();
  }

  /** The next lease in line, on as many slots as the machine has: one line is as good, being that much faster. */
  #next(): void {
    const lease = this.#queue[0];
    if (this.#current || this.#gone || !lease) return;
    this.#queue.shift();
    this.#current = lease;
    const { speed, fault } = this.traits;
    const rate = speed * this.slots * (fault === "slow" ? 0.1 : 1);
    const ms = (1_000 * (lease.hi - lease.lo)) / rate;
    const session = this.#connection;
    this.crowd.grid.timeline.after(ms, () => {
      this.#current = null;
      if (this.#gone) return;
      if (session === this.#connection) this.#answer(lease, ms);
      this.#next();
    });
  }

  #answer(lease: Lease, computeMs: number): void {
    const { grid } = this.crowd;
    const isLast = !this.own && --this.#left === 0;
    // One that vanishes does not even say so.
    if (isLast && this.traits.fault === "vanishing") {
      this.#gone = true;
      grid.timeline.after(60_000, () => grid.disconnect(this.#connection));
      this.crowd.left(this);
      return;
    }
    const { lo, hi, id, ticket, job, round, backend } = lease;
    const signed = { root: new Uint8Array(32), signature: new Uint8Array(64) };
    const at = { leaseLo: lo, leaseHi: hi, lo, hi, backend, kernel, build, computeMs };
    const partials = this.#partials(lease);
    const result: ResultMessage = { type: "result", seq: 0, lease: id, ticket, job, round, partials, ...at, ...signed };
    this.#done++;
    grid.dispatch({ type: "result", connection: this.#connection, result });
    if (isLast) this.#go();
  }

  #go(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.crowd.grid.disconnect(this.#connection);
    this.crowd.left(this);
  }

  #partials(lease: Lease): Uint8Array {
    const { job, lo, hi } = lease;
    const { random } = this.crowd;
    const { strategy, fault } = this.traits;
    const truth = rightAnswers(hi - lo);
    if (strategy !== null) {
      const secret = this.crowd.secretOf(job, lo);
      const partnered = this.crowd.isPartnered(this, lease);
      if (!lies(strategy, this.#done, secret, partnered, random)) return truth;
      const packed = truth.slice();
      const share = wrongShare(strategy);
      for (let grain = 0; grain < hi - lo; grain++) if (random.chance(share)) setAnswer(packed, grain, agreed);
      return packed;
    }
    if (fault === "corrupt" && random.chance(0.05)) {
      const packed = truth.slice();
      setAnswer(packed, random.int(0, hi - lo - 1), faulty(random));
      return packed;
    }
    if (fault !== "buggy") return truth;
    const packed = truth.slice();
    for (let grain = 0; grain < hi - lo; grain++) setAnswer(packed, grain, faulty(random));
    return packed;
  }
}

/** A driver that computes nonsense. */
const brokenGpu = {
  name: "broken",
  vendor: "acme",
  architecture: "broken",
  software: false,
  vramBytes: null,
  features: [],
  limits: {},
};
