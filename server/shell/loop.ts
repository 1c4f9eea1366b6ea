/**
 * The loop around the core: event -> step -> one commit for all that a turn wrote -> what depends on it.
 * While one batch is being made durable, the next gathers; so one fsync serves all that arrived meanwhile.
 */
import { randomFillSync } from "node:crypto";
import type { CoreEvent, CorePorts, CoreWrite, Effect } from "../core/events.ts";
import { step } from "../core/grid.ts";
import type { CoreState } from "../core/state.ts";
import { StoreError, type Write } from "../store/store.ts";

export interface LoopPorts {
  core: CorePorts;
  /** Makes a batch durable, or throws StoreError. One call at a time. */
  commit(batch: Write[]): Promise<void>;
  /** Turns the core's words for a write into the store's, with what else follows from it. */
  toWrites(write: CoreWrite): readonly Write[];
  /** Performs an effect other than a commit, now. */
  perform(effect: Exclude<Effect, { type: "commit" }>): void;
  /** The end of a turn: what was gathered for sockets goes out. */
  flush(): void;
  /** The record failed: everything in memory is void. */
  fatal(error: unknown): void;
  now(): number;
  /**
   * Whether an answer is due within a fraction of a millisecond whose writes belong in the next commit. A commit then
   * waits for the next turn, but not for longer than `holdMsMax`.
   */
  expecting?(): boolean;
  /** For metrics: a batch became durable. */
  onCommit?(ms: number, writes: number): void;
}

interface Batch {
  writes: Write[];
  /** What depends on the batch: effects and events of the core, and the shell's own. */
  afterwards: Effect[];
  events: CoreEvent[];
  hooks: Hook[];
}

/** Called once: without an error when the batch is durable, with one when the loop ended before. */
export type Hook = (error?: StoreError) => void;

/**
 * While a commit is under way, nobody looks for work: the leases then go out with the acknowledgements that wait for it,
 * in one frame for each node. Nodes hold a second lease for such moments. A commit that takes longer is not waited for.
 */
const placeWaitMsMax = 20;

/** A commit that waits for an expected answer saves a sync of its own for that answer; longer, and it costs more. */
const holdMsMax = 2;

const overtaken = (): StoreError => new StoreError("unknown", "The record failed before this was known to be durable.");

const emptyBatch = (): Batch => ({ writes: [], afterwards: [], events: [], hooks: [] });

export class CoreLoop {
  #gathering = emptyBatch();
  #committing: Batch | null = null;
  #commitStartedMs = 0;
  #holding: NodeJS.Timeout | null = null;
  #held = false;
  #dead = false;
  #inTurn = false;
  readonly #entropy = new Uint32Array(256);
  #entropyLeft = 0;
  /** For metrics: batches, writes, and how long commits took. */
  readonly commits = { batches: 0, writes: 0, lastMs: 0, totalMs: 0 };

  constructor(
    readonly state: CoreState,
    private readonly ports: LoopPorts,
  ) {}

  /** One event and all that follows from it. */
  dispatch(event: CoreEvent): void {
    if (this.#dead) return;
    this.#step(event);
    this.#endTurn();
  }

  /** Several events as one turn: one look for work, one flush. */
  dispatchAll(events: readonly CoreEvent[]): void {
    if (this.#dead) return;
    for (const event of events) this.#step(event);
    this.#endTurn();
  }

  get isDead(): boolean {
    return this.#dead;
  }

  /** Writes of the shell's own (nodes, keys), in the next batch. */
  write(writes: readonly Write[], hook?: Hook): void {
    if (this.#dead) {
      hook?.(overtaken());
      return;
    }
    this.#gathering.writes.push(...writes);
    if (hook) this.#gathering.hooks.push(hook);
    this.#endTurn();
  }

  /** After this, nothing is dispatched, committed or performed any more; who waits for a commit is told so. */
  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    const waiting = [...(this.#committing?.hooks ?? []), ...this.#gathering.hooks];
    for (const hook of waiting) hook(overtaken());
  }

  /** Makes writes of the shell's own durable. Rejects with StoreError when the loop ends before. */
  written(writes: readonly Write[]): Promise<void> {
    return new Promise((resolve, reject) => this.write(writes, (error) => (error ? reject(error) : resolve())));
  }

  /**
   * Resolves when what was written until now is durable; what others go on writing does not hold it up. Rejects with
   * StoreError when the loop ends before.
   */
  flushed(): Promise<void> {
    return this.written([]);
  }

  /** Resolves when nothing is left to be made durable: for a loop that gets no more events. */
  async settled(): Promise<void> {
    while (!this.#dead && (this.#committing || this.#gathering.writes.length > 0)) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  #step(event: CoreEvent): void {
    const effects = step(this.state, event, this.ports.now(), this.#random(), this.ports.core);
    this.#perform(effects);
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type !== "commit") {
        this.ports.perform(effect);
        continue;
      }
      for (const write of effect.writes) this.#gathering.writes.push(...this.ports.toWrites(write));
      for (const after of effect.afterwards) this.#gathering.afterwards.push(after);
      if (effect.event) this.#gathering.events.push(effect.event);
    }
  }

  #endTurn(): void {
    if (this.#inTurn) return;
    this.#inTurn = true;
    if (!this.#committing || performance.now() - this.#commitStartedMs > placeWaitMsMax) this.#step({ type: "place" });
    // What waits for a commit, where there is nothing left to commit, is due now.
    while (!this.#dead && !this.#committing && this.#gathering.writes.length === 0 && this.#isWaiting()) {
      this.#release(this.#take());
    }
    this.#inTurn = false;
    this.ports.flush();
    this.#commit();
  }

  #isWaiting(): boolean {
    const { afterwards, events, hooks } = this.#gathering;
    return afterwards.length + events.length + hooks.length > 0;
  }

  #take(): Batch {
    const batch = this.#gathering;
    this.#gathering = emptyBatch();
    return batch;
  }

  #release(batch: Batch): void {
    this.#perform(batch.afterwards);
    for (const hook of batch.hooks) hook();
    for (const event of batch.events) this.#step(event);
    if (batch.events.length > 0) this.#step({ type: "place" });
  }

  #commit(): void {
    if (this.#dead || this.#committing || this.#gathering.writes.length === 0) return;
    if (this.#hold()) return;
    const batch = this.#take();
    this.#committing = batch;
    this.#commitStartedMs = performance.now();
    this.ports.commit(batch.writes).then(
      () => this.#committed(batch, performance.now() - this.#commitStartedMs),
      (error) => {
        if (!this.#dead) this.ports.fatal(error);
      },
    );
  }

  /** One hold for each batch: whoever keeps answering late must not keep a batch from being written. */
  #hold(): boolean {
    if (!this.#held && this.ports.expecting?.()) {
      this.#holding ??= setTimeout(() => {
        this.#holding = null;
        this.#held = true;
        this.#commit();
      }, holdMsMax);
      return true;
    }
    if (this.#holding) clearTimeout(this.#holding);
    this.#holding = null;
    this.#held = false;
    return false;
  }

  #committed(batch: Batch, ms: number): void {
    this.#committing = null;
    if (this.#dead) return;
    this.commits.lastMs = ms;
    this.commits.totalMs += ms;
    this.commits.batches++;
    this.commits.writes += batch.writes.length;
    this.ports.onCommit?.(ms, batch.writes.length);
    this.#inTurn = true;
    this.#release(batch);
    this.#inTurn = false;
    this.#endTurn();
  }

  #random(): number {
    if (this.#entropyLeft === 0) {
      randomFillSync(this.#entropy);
      this.#entropyLeft = this.#entropy.length;
    }
    return (this.#entropy[--this.#entropyLeft] as number) / 2 ** 32;
  }
}
