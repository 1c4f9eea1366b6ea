/**
 * What others do, for comparison, on the same crowd: replication with a quorum of two, and BOINC's adaptive
 * replication. Both as BOINC has them (sched/sched_send.cpp, sched/validator.cpp, adaptive replication in its wiki):
 * one result of a volunteer for a work unit; results that agree are valid from `min_quorum` on; a further instance is
 * made when those that came do not agree, or one is overdue; nobody is banned and nothing is taken back. Work units
 * come in size classes, as for BOINC's multi-size apps, and hosts get those of their class.
 */
import type { Random } from "../random.ts";
import { Timeline } from "../timeline.ts";
import { drawVolunteer, lies, type Strategy, type Volunteer } from "./population.ts";

export type Baseline = "quorum 2" | "BOINC adaptive";

export interface BaselineOptions {
  random: Random;
  saboteurs: number;
  strategy: Strategy;
  volunteers: number;
  /** Work units to accept. */
  units: number;
}

export interface BaselineFigures {
  accepted: number;
  /** Accepted work units whose answer is wrong. */
  wrong: number;
  /** Core-seconds computed for one that counted. */
  overhead: number;
}

interface Host extends Volunteer {
  id: number;
  done: number;
  /** BOINC's `consecutive_valid` of the host's app version. */
  valid: number;
}

interface Instance {
  host: Host;
  /** 0 is right, 1 what the saboteurs agreed on; every silent corruption has a number of its own. Null: not back yet. */
  answer: number | null;
}

interface Unit {
  grains: number;
  secret: number;
  quorum: number;
  instances: Instance[];
  /** Instances that are due and not given out. */
  wanted: number;
}

const quorum = 2;
const adaptiveValidMin = 10;
const sliceSeconds = 10;
const classes = 4;

export function runBaseline(baseline: Baseline, options: BaselineOptions): BaselineFigures {
  return new Project(baseline, options).run();
}

class Project {
  #hosts = 0;
  #corruptions = 1;
  #computed = 0;
  #counted = 0;
  #accepted = 0;
  #wrong = 0;
  readonly #timeline = new Timeline();
  /** By size class: units of which another instance is wanted. */
  readonly #wanting: Unit[][] = Array.from({ length: classes }, () => []);

  constructor(
    private readonly baseline: Baseline,
    private readonly options: BaselineOptions,
  ) {}

  run(): BaselineFigures {
    const { volunteers, units } = this.options;
    for (let index = 0; index < volunteers; index++) this.#join();
    this.#timeline.run(Number.POSITIVE_INFINITY, () => this.#accepted >= units);
    return { accepted: this.#accepted, wrong: this.#wrong, overhead: this.#computed / this.#counted };
  }

  #join(): void {
    const { random, saboteurs, strategy } = this.options;
    const volunteer = drawVolunteer(random, saboteurs, strategy);
    this.#request({ ...volunteer, id: this.#hosts++, done: 0, valid: 0 }, volunteer.slices);
  }

  /** The host takes an instance, computes it, and asks again, until its owner goes and somebody else comes. */
  #request(host: Host, left: number): void {
    if (left === 0) {
      this.#join();
      return;
    }
    const unit = this.#unitFor(host);
    const instance: Instance = { host, answer: null };
    unit.instances.push(instance);
    const seconds = unit.grains / host.speed / (host.fault === "slow" ? 0.1 : 1);
    const gone = host.fault === "vanishing" && left === 1;
    this.#timeline.after(1_000 * (gone ? 10 * seconds : seconds), () => {
      if (gone) this.#overdue(unit, instance);
      else this.#report(unit, instance);
      this.#request(instance.host, left - 1);
    });
  }

  #unitFor(host: Host): Unit {
    const size = Math.min(classes - 1, Math.max(0, Math.floor(Math.log10(host.speed / 0.1))));
    const wanting = this.#wanting[size] as Unit[];
    const at = wanting.findIndex((unit) => unit.instances.every((instance) => instance.host.id !== host.id));
    if (at >= 0) {
      const unit = wanting[at] as Unit;
      if (--unit.wanted === 0) wanting.splice(at, 1);
      return unit;
    }
    const grains = Math.max(1, Math.round(sliceSeconds * 0.1 * 10 ** (size + 0.5)));
    const unit = {
      grains,
      secret: this.options.random.next(),
      quorum: this.#quorumFor(host),
      instances: [],
      wanted: 0,
    };
    if (unit.quorum > 1) this.#want(unit, size, unit.quorum - 1);
    return unit;
  }

  /** sched_send.cpp: a host with enough valid results in a row is believed alone with probability 1 - 1/n. */
  #quorumFor(host: Host): number {
    if (this.baseline === "quorum 2" || host.valid < adaptiveValidMin) return quorum;
    return this.options.random.chance(1 - 1 / host.valid) ? 1 : quorum;
  }

  #want(unit: Unit, size: number, count: number): void {
    if (unit.wanted === 0) this.#wanting[size]?.push(unit);
    unit.wanted += count;
  }

  #overdue(unit: Unit, instance: Instance): void {
    unit.instances = unit.instances.filter((other) => other !== instance);
    this.#want(unit, this.#sizeOf(unit), 1);
  }

  #report(unit: Unit, instance: Instance): void {
    const { host } = instance;
    this.#computed += unit.grains;
    instance.answer = this.#answerOf(unit, host);
    host.done++;
    this.#validate(unit);
  }

  #answerOf(unit: Unit, host: Host): number {
    const { random } = this.options;
    if (host.strategy !== null) {
      const partnered =
        unit.quorum > 1 && unit.wanted === 0 && unit.instances.every((other) => other.host.strategy !== null);
      return lies(host.strategy, host.done, unit.secret, partnered, random) ? 1 : 0;
    }
    if (host.fault === "corrupt" && random.chance(0.05)) return ++this.#corruptions;
    if (host.fault === "buggy" && random.chance(0.5)) return ++this.#corruptions;
    return 0;
  }

  #validate(unit: Unit): void {
    const back = unit.instances.filter((instance) => instance.answer !== null);
    if (back.length < unit.quorum) return;
    const votes = new Map<number, number>();
    for (const { answer } of back) votes.set(answer as number, (votes.get(answer as number) ?? 0) + 1);
    const [canonical] = [...votes].find(([, count]) => count >= unit.quorum) ?? [];
    if (canonical === undefined) {
      if (back.length === unit.instances.length && unit.wanted === 0) this.#want(unit, this.#sizeOf(unit), 1);
      return;
    }
    this.#accepted++;
    this.#counted += unit.grains;
    if (canonical !== 0) this.#wrong++;
    // validator.cpp: a result that nothing was compared with raises nobody's standing.
    if (unit.quorum > 1) for (const { host, answer } of back) this.#judge(host, answer === canonical);
  }

  #judge(host: Host, valid: boolean): void {
    host.valid = valid ? host.valid + 1 : 0;
    if (valid || host.strategy !== "whitewash") return;
    host.id = this.#hosts++;
    host.done = 0;
  }

  #sizeOf(unit: Unit): number {
    return Math.round(Math.log10(unit.grains / sliceSeconds / 0.1) - 0.5);
  }
}
