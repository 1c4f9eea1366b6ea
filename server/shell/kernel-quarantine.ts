/**
 * Kernels of researchers that an own node found to fail: no volunteer gets them any more. Durable with the end of the job
 * that showed it, so that the same code cannot be brought again after a restart.
 */
import * as z from "zod";
import type { CoreWrite } from "../core/events.ts";
import type { CoreState } from "../core/state.ts";
import type { Write } from "../store/store.ts";
import type { Follower } from "./engine.ts";

const room = "quarantine";
/** The oldest is forgotten beyond. */
const kernelsMax = 1_000;

const entrySchema = z.object({ message: z.string(), atMs: z.number() });

export interface QuarantinePorts {
  documents(room: string): Promise<readonly { key: string; value: string }[]>;
}

export class KernelQuarantine implements Follower {
  /** By kernel, the oldest first. */
  #entries = new Map<string, { message: string; atMs: number }>();

  constructor(private readonly ports: QuarantinePorts) {}

  /** Why no volunteer gets this kernel; null where they may. */
  reasonOf(kernel: string): string | null {
    return this.#entries.get(kernel)?.message ?? null;
  }

  async load(): Promise<void> {
    const read = (await this.ports.documents(room)).flatMap(({ key, value }) => {
      const entry = entrySchema.safeParse(JSON.parse(value));
      return entry.success ? [[key, entry.data] as const] : [];
    });
    this.#entries = new Map(read.sort(([, a], [, b]) => a.atMs - b.atMs));
  }

  restore(state: CoreState): void {
    for (const kernel of this.#entries.keys()) state.condemned.add(kernel);
  }

  follows(write: CoreWrite, state: CoreState, now: number): readonly Write[] {
    if (write.type !== "job.ended" || !state.condemned.has(write.of.kernel)) return [];
    const { kernel } = write.of;
    if (this.#entries.has(kernel)) return [];
    const entry = { message: write.reason?.message ?? "It failed on an own node.", atMs: now };
    this.#entries.set(kernel, entry);
    const writes: Write[] = [{ type: "document.put", room, key: kernel, value: JSON.stringify(entry) }];
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > kernelsMax && oldest !== undefined) {
      this.#entries.delete(oldest);
      state.condemned.delete(oldest);
      writes.push({ type: "document.put", room, key: oldest, value: null });
    }
    return writes;
  }
}
