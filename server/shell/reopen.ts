/** Opens jobs again that rest on what is not believed any more, one after the other, and seals what is old enough. */
import type { Blobs } from "../blobs/blobs.ts";
import type { Catalog } from "../catalog.ts";
import type { Store } from "../store/store.ts";
import type { CoreLoop } from "./loop.ts";
import { bringPartials, storedJobOf } from "./recover.ts";

export interface ReopenPorts {
  store: Store;
  catalog: Catalog;
  blobs: Blobs;
  loop(): CoreLoop;
  log(code: string, message: string): void;
  /** The record cannot be read: everything in memory is void. */
  fatal(error: unknown): void;
}

/** Jobs sealed in one batch; more follow with the next look. */
const sealedMax = 100;

export class Reopening {
  #asked = false;
  #running = false;

  constructor(private readonly ports: ReopenPorts) {}

  /** A node was proven wrong, durably; or the core was built, and an earlier one may not have got to it. */
  ask(): void {
    this.#asked = true;
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    const loop = this.ports.loop();
    try {
      while (this.#asked && !loop.isDead) {
        this.#asked = false;
        // What the proof took back in memory is written before the record is asked.
        await loop.flushed();
        for (const { job, round } of await this.ports.store.tainted()) await this.#reopen(loop, job, round);
      }
    } catch (cause) {
      if (!loop.isDead) this.ports.fatal(cause);
    } finally {
      this.#running = false;
    }
    // Asked while an earlier core's run came to its end.
    if (this.#asked && !this.ports.loop().isDead) this.ask();
  }

  async #reopen(loop: CoreLoop, id: string, round: number): Promise<void> {
    const { store, catalog, blobs } = this.ports;
    const at = await store.jobAt(id, round);
    if (!at || loop.isDead) return;
    const stored = await storedJobOf(at, round, catalog, blobs);
    if ("lost" in stored) {
      this.ports.log("job_not_reopened", `Job ${id} rests on a node that was wrong, and ${stored.lost}`);
      return;
    }
    const before = loop.state.jobs.get(id);
    loop.dispatch({ type: "reopen", stored });
    const job = loop.state.jobs.get(id);
    if (!job || job === before) return;
    // Its verdicts are written before it is asked for again.
    await loop.flushed();
    await bringPartials(job, store, (events) => loop.dispatchAll(events));
  }

  /** Seals what ended before then. Resolves with how many. */
  async seal(beforeMs: number, now: number): Promise<number> {
    const loop = this.ports.loop();
    const ids = await this.ports.store.sealable(beforeMs, sealedMax);
    if (ids.length === 0 || loop.isDead) return 0;
    await loop.written(ids.map((id) => ({ type: "job.seal", id, atMs: now })));
    return ids.length;
  }
}
