/** One cell of the table: a crowd, a strategy, a way to verify, and what came of it. */
import {
  defaultPlan,
  resolveVerification,
  type Verification,
  type VerificationRequest,
} from "../../../kernels/verification.ts";
import type { CoreConfig } from "../../../server/core/limits.ts";
import type { Cost, Lease } from "../../../server/core/state.ts";
import { Random } from "../random.ts";
import { SabotageGrid } from "./grid.ts";
import { drawVolunteer, meetVolunteer, type Strategy } from "./population.ts";
import { wrongIn } from "./record.ts";
import { type Crowd, Machine } from "./volunteer.ts";

export interface CellOptions {
  seed: number;
  /** Share of the volunteers that lie. */
  saboteurs: number;
  strategy: Strategy;
  verification: VerificationRequest;
  certified?: boolean;
  volunteers: number;
  /** Grains of completed jobs after which no more are submitted. */
  grains: number;
  config?: Partial<CoreConfig>;
}

export interface CellFigures {
  /** Grains of completed jobs, and which of them were wrong when the job first completed, and in the end. */
  accepted: number;
  firstWrong: number;
  finalWrong: number;
  jobs: number;
  jobsWrong: number;
  jobsReopened: number;
  /** Core-seconds computed for one that counted. */
  overhead: number;
  /** Core-seconds of audits for one that counted. */
  audits: number;
  cost: Cost;
  identities: number;
  saboteursBanned: number;
  honestBanned: number;
  virtualHours: number;
}

export const policies = {
  default: {},
  strict: { audit: 0.35 },
} as const satisfies Record<string, VerificationRequest>;

export function runCell(options: CellOptions): CellFigures {
  return new Cell(options).run();
}

/** Own capacity, as a share of the volunteers'. */
const ownShare = 0.01;
/** Jobs that are open at once. */
const openJobs = 16;
/** A run of grains whose secret is one number. */
const secretGrains = 64;

class Cell implements Crowd {
  readonly grid: SabotageGrid;
  readonly random: Random;
  readonly #saboteurs = new Set<string>();
  readonly #machines = new Set<Machine>();
  readonly #secrets = new Map<string, number>();
  #identities = 0;
  #submittedGrains = 0;

  constructor(private readonly options: CellOptions) {
    this.random = new Random(options.seed);
    this.grid = new SabotageGrid({
      random: this.random,
      verification: verificationOf(options.verification),
      certified: options.certified ?? false,
      config: options.config ?? {},
    });
  }

  run(): CellFigures {
    const { options, grid } = this;
    let speeds = 0;
    for (let index = 0; index < options.volunteers; index++) speeds += this.#join(meetVolunteer).traits.speed;
    const slots = 4;
    const traits = { speed: (ownShare * speeds) / slots, slices: 0, strategy: null, fault: null };
    new Machine(this, traits, true, slots);
    this.#submit();
    grid.timeline.run(Number.POSITIVE_INFINITY, () => this.#isDone());
    return this.#figures();
  }

  #join(draw = drawVolunteer): Machine {
    const { saboteurs, strategy } = this.options;
    const machine = new Machine(this, draw(this.random, saboteurs, strategy));
    this.#machines.add(machine);
    return machine;
  }

  nextIdentity(): string {
    return `n${this.#identities++}`;
  }

  registered(id: string, isSaboteur: boolean): void {
    if (isSaboteur) this.#saboteurs.add(id);
  }

  left(machine: Machine): void {
    this.#machines.delete(machine);
    this.grid.timeline.after(this.random.between(0, 1_000), () => this.#join());
  }

  secretOf(job: string, grain: number): number {
    const key = `${job}/${Math.floor(grain / secretGrains)}`;
    const known = this.#secrets.get(key);
    if (known !== undefined) return known;
    const secret = this.random.next();
    this.#secrets.set(key, secret);
    return secret;
  }

  isPartnered(machine: Machine, { job, lo, hi }: Lease): boolean {
    if (machine.traits.strategy !== "paired") return false;
    for (const other of this.#machines) {
      if (other !== machine && other.traits.strategy === "paired" && other.holds(job, lo, hi)) return true;
    }
    return false;
  }

  /** Keeps jobs of 30,000 to 1,000,000 grains open. */
  #submit(): void {
    while (this.grid.state.jobs.size < openJobs && this.#submittedGrains < this.options.grains) {
      const grains = Math.floor(this.random.log(30_000, 1_000_000));
      this.#submittedGrains += grains;
      this.grid.submit(grains);
    }
    this.grid.timeline.after(1_000, () => this.#submit());
  }

  #isDone(): boolean {
    return this.#submittedGrains >= this.options.grains && this.grid.state.jobs.size === 0;
  }

  #figures(): CellFigures {
    const { grid } = this;
    let accepted = 0;
    let firstWrong = 0;
    let finalWrong = 0;
    let jobsWrong = 0;
    for (const job of grid.record.jobs.values()) {
      accepted += (job.seed.payload as { grains: number }).grains;
      firstWrong += job.firstWrong ?? 0;
      const wrong = wrongIn(job);
      finalWrong += wrong;
      if (wrong > 0) jobsWrong++;
    }
    const { cost } = grid.state.totals;
    const banned = [...grid.bannedNodes];
    return {
      accepted,
      firstWrong,
      finalWrong,
      jobs: grid.record.jobs.size,
      jobsWrong,
      jobsReopened: grid.reopened,
      overhead: cost.computed / accepted,
      audits: cost.audit / accepted,
      cost,
      identities: this.#identities,
      saboteursBanned: banned.filter((id) => this.#saboteurs.has(id)).length,
      honestBanned: banned.filter((id) => !this.#saboteurs.has(id)).length,
      virtualHours: grid.timeline.now / 3_600_000,
    };
  }
}

function verificationOf(request: VerificationRequest): Verification {
  const resolved = resolveVerification(defaultPlan, request);
  if ("fault" in resolved) throw new RangeError(resolved.fault.message);
  return resolved.verification;
}
