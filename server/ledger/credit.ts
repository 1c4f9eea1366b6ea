/**
 * Credit: which postings follow from what the core writes, and the balances that follow from the postings. A posting
 * is committed in the transaction of the result that it is for, so neither is ever without the other.
 *
 * Credit counts at a payday that depends on when the work came and on nothing else, so nobody learns from it what was
 * audited. What a verdict takes away is a posting of its own, due a payday later, and not before the grant.
 */
import type { CoreWrite } from "../core/events.ts";
import { RangeSet } from "../core/ranges.ts";
import type { CoreState, Job } from "../core/state.ts";
import type { LedgerReader, Posting, VolunteerRecord, WorkPurpose } from "../store/ledger.ts";
import type { Write } from "../store/store.ts";

export interface CreditOptions {
  /** Credit counts this long after the work came, rounded up to the next payday. */
  delayMs: number;
  /** Time from payday to payday. */
  periodMs: number;
}

export const creditDefaults: CreditOptions = { delayMs: 3_600_000, periodMs: 600_000 };

/** Leases whose credited grains are remembered; nodes hold far fewer at a time. */
const leasesMax = 200_000;

export interface Balance {
  coreSeconds: number;
  postings: number;
}

type Message = Extract<CoreWrite, { type: "result.insert" }>["message"];

export class Credit {
  /** Grains of open leases that were credited: what is sent twice, or overlaps, counts once. */
  readonly #credited = new Map<string, RangeSet>();
  readonly #volunteers = new Map<string, VolunteerRecord>();
  readonly #balances = new Map<string, Balance>();
  /** Postings due by then are in the balances. */
  #countedToMs = 0;
  #counting: Promise<void> = Promise.resolve();

  constructor(
    private readonly record: LedgerReader,
    private readonly options: CreditOptions = creditDefaults,
  ) {}

  /** After the record was opened, or opened anew. */
  async load(): Promise<void> {
    const volunteers = await this.record.volunteers();
    this.#volunteers.clear();
    for (const volunteer of volunteers) this.#volunteers.set(volunteer.id, volunteer);
    this.#credited.clear();
  }

  /** Postings that belong in the commit of `write`. */
  follows(write: CoreWrite, state: CoreState, now: number): Write[] {
    switch (write.type) {
      case "result.insert":
        return write.own ? [] : this.#grant(write.id, "result", write.node, write.message, state, now);
      case "work.done":
        return this.#grant(write.id, write.purpose, write.node, write.message, state, now);
      case "result.verdict":
        return takesBack(write.standing)
          ? // A period ahead, so that no commit is so slow that its payday has passed.
            [{ type: "posting.retract", work: write.id, atMs: now, dueMs: this.#payday(now + this.options.periodMs) }]
          : [];
      default:
        return [];
    }
  }

  #grant(id: number, purpose: WorkPurpose, node: string, message: Message, state: CoreState, now: number): Write[] {
    const job = state.jobs.get(message.job);
    const grains = this.#newGrains(message);
    if (!job || grains === 0 || this.#isOwnJob(node, job)) return [];
    const posting: Posting = {
      work: id,
      kind: "grant",
      volunteer: node,
      job: job.id,
      purpose,
      coreSeconds: grains * job.grainCoreSeconds,
      atMs: now,
      dueMs: this.#payday(now + this.options.delayMs),
    };
    return [{ type: "posting.insert", posting }];
  }

  /** How many grains of the message its lease was not credited for. */
  #newGrains({ lease, leaseLo, leaseHi, lo, hi }: Message): number {
    const credited = this.#credited.get(lease) ?? new RangeSet();
    const before = credited.size;
    credited.add(Math.max(lo, leaseLo), Math.min(hi, leaseHi));
    if (credited.size >= leaseHi - leaseLo) this.#credited.delete(lease);
    else {
      this.#credited.set(lease, credited);
      if (this.#credited.size > leasesMax) this.#credited.delete(this.#credited.keys().next().value as string);
    }
    return credited.size - before;
  }

  #isOwnJob(node: string, job: Job): boolean {
    const submitter = this.#volunteers.get(node)?.submitter;
    return submitter != null && submitter === job.submitter;
  }

  /** The first payday after `ms`. */
  #payday(ms: number): number {
    return (Math.floor(ms / this.options.periodMs) + 1) * this.options.periodMs;
  }

  /** What fell due until then counts. */
  lastPayday(now: number): number {
    return Math.floor(now / this.options.periodMs) * this.options.periodMs;
  }

  nextPayday(now: number): number {
    return this.#payday(now);
  }

  volunteer(id: string): VolunteerRecord | null {
    return this.#volunteers.get(id) ?? null;
  }

  /** What the record was told about a volunteer; call it once that is durable. */
  remember(volunteer: VolunteerRecord): void {
    this.#volunteers.set(volunteer.id, volunteer);
  }

  /** Balances as of the last payday, by volunteer. */
  async balances(now: number): Promise<ReadonlyMap<string, Balance>> {
    const untilMs = this.lastPayday(now);
    // One after the other: two that counted the same time would count it twice.
    this.#counting = this.#counting.then(
      () => this.#count(untilMs),
      () => this.#count(untilMs),
    );
    await this.#counting;
    return this.#balances;
  }

  async #count(untilMs: number): Promise<void> {
    if (untilMs <= this.#countedToMs) return;
    const sums = await this.record.creditSums(this.#countedToMs, untilMs);
    this.#countedToMs = untilMs;
    for (const { volunteer, coreSeconds, postings } of sums) {
      const balance = this.#balances.get(volunteer) ?? { coreSeconds: 0, postings: 0 };
      balance.coreSeconds += coreSeconds;
      balance.postings += postings;
      this.#balances.set(volunteer, balance);
    }
  }
}

const takesBack = (standing: string): boolean => standing === "rejected" || standing === "retracted";
