/** Submitters, seen from outside: what they were promised, and what the record holds of it in the end. */
import { unpackPartials } from "../../protocol/partials.ts";
import { type ToyPayload, toyDefaults, toyHost, toyOracle, toyPartial } from "../../server/core/fixtures.ts";
import { newJob, tested } from "../../server/core/harness.ts";
import type { RecordedJob } from "./record.ts";
import type { World } from "./world.ts";

export class SimClient {
  acknowledged = 0;
  submitted = 0;
  readonly promised = new Set<string>();
  readonly told = new Set<string>();
  readonly cancelled = new Set<string>();

  constructor(private readonly world: World) {}

  accepted(job: string): void {
    if (!this.world.record.jobs.has(job)) throw new Error(`job ${job} is accepted and not durable`);
    this.promised.add(job);
  }

  ended(job: string): void {
    if (!this.world.record.jobs.get(job)?.end) throw new Error(`the end of job ${job} is told and not durable`);
    this.told.add(job);
  }

  /** The end that was told is none. */
  retracted(job: string): void {
    if (this.world.record.jobs.get(job)?.end) throw new Error(`job ${job} is retracted and has ended`);
    this.told.delete(job);
  }

  submitOne(): void {
    const { random, coordinator } = this.world;
    const kind = random.next();
    const certificate = kind < 0.2 ? "complete" : kind < 0.3 ? "evidence" : "none";
    const grains = random.int(1, random.pick([3, 60, 250]));
    const payload: ToyPayload = {
      ...toyDefaults,
      seed: random.int(1, 1e9),
      grains,
      cost: random.log(...this.world.costs),
      certificate,
      output: certificate === "none" && random.chance(0.25) ? "rows" : "reduce",
      rounds: 1,
      enoughGrains: 0,
    };
    const turn = payload.output === "reduce" ? random.next() : 1;
    if (turn < 0.2) payload.rounds = 2;
    else if (turn < 0.4) payload.enoughGrains = random.int(1, grains);
    const id = `j${++this.submitted}`;
    const submitter = `s${random.int(1, 4)}`;
    const redundancy = random.chance(0.25) ? random.int(2, 3) : 1;
    if (redundancy > 1) this.world.count("job with replicas");
    const verification = { ...tested, redundancy };
    const seed = { submitter, priority: random.int(1, 10), hasCheck: certificate !== "none", verification };
    coordinator.submit(newJob(id, payload, seed));
    this.world.count(
      `job: ${payload.output}, ${certificate}, rounds ${payload.rounds}${payload.enoughGrains ? ", enough" : ""}`,
    );
    if (random.chance(0.08)) this.#cancelLater(id);
  }

  #cancelLater(id: string): void {
    this.world.timeline.after(this.world.random.log(1, 30_000), () => {
      if (!this.world.coordinator.state.jobs.has(id)) return;
      this.cancelled.add(id);
      this.world.count("job cancelled");
      this.world.coordinator.dispatch({ type: "cancel", job: id, reason: { code: "cancelled", message: "simulated" } });
    });
  }

  /** Everything that was promised holds. Throws with the first thing that does not. */
  assertKept(): void {
    for (const id of this.promised) if (!this.world.record.jobs.has(id)) throw new Error(`accepted job ${id} is lost`);
    for (const [id, job] of this.world.record.jobs) {
      if (!job.end) throw new Error(`job ${id} never ended`);
      if (job.end.state === "completed") this.#assertOutput(id, job);
      else if (job.end.state !== "cancelled" || !this.cancelled.has(id)) {
        throw new Error(`job ${id} ${job.end.state}: ${job.end.reason}`);
      }
    }
  }

  #assertOutput(id: string, job: RecordedJob): void {
    const payload = job.seed.payload as ToyPayload;
    if (payload.output === "rows") {
      this.#assertRows(id, job, payload);
      return;
    }
    const output = job.end?.output ?? "";
    if (payload.enoughGrains === 0) {
      if (output !== toyOracle(payload)) throw new Error(`job ${id}: output ${output} is not ${toyOracle(payload)}`);
      if (job.end?.stats.acceptedGrains !== job.rounds.reduce((sum, round) => sum + round.tasks, 0)) {
        // Counters of rounds before a restart are not kept; a single round's are.
        if (job.rounds.length === 1) throw new Error(`job ${id}: ${job.end?.stats.acceptedGrains} grains accepted`);
      }
      return;
    }
    const { hi } = JSON.parse(output) as { hi: number };
    const prefix = { ...payload, grains: hi };
    if (hi < payload.enoughGrains || hi > payload.grains || output !== toyOracle(prefix)) {
      throw new Error(`job ${id}: output ${output} is not that of a prefix of at least ${payload.enoughGrains}`);
    }
  }

  #assertRows(id: string, job: RecordedJob, payload: ToyPayload): void {
    for (const [grain, result] of this.world.record.standing(job, 0, "confirmed").entries()) {
      if (!result) throw new Error(`job ${id}: grain ${grain} has no row`);
      const row = unpackPartials(result.partials)[grain - result.lo] as Uint8Array;
      const truth = toyPartial(payload.seed, 0, grain);
      if (toyHost.decode(payload, row).hash !== toyHost.decode(payload, truth).hash) {
        throw new Error(`job ${id}: row ${grain} is wrong`);
      }
    }
  }

  /** Grains of completed jobs whose accepted value is wrong, and all of them: for liars that lie now and then. */
  escaped(): { wrong: number; all: number } {
    let wrong = 0;
    let all = 0;
    for (const job of this.world.record.jobs.values()) {
      const payload = job.seed.payload as ToyPayload;
      for (const { round } of job.rounds) {
        for (const [grain, result] of this.world.record.standing(job, round, "confirmed").entries()) {
          if (!result) continue;
          all++;
          const row = unpackPartials(result.partials)[grain - result.lo] as Uint8Array;
          const truth = toyPartial(payload.seed, round, grain);
          if (!row.every((byte, at) => byte === truth[at])) wrong++;
        }
      }
    }
    return { wrong, all };
  }
}
