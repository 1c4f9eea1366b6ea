import type { KeptResult } from "../machine-state.ts";
import type { StoragePort } from "../ports.ts";

/** Keeps results in memory: for tests, and for nodes that nobody restarts. */
export class MemoryStorage implements StoragePort {
  readonly kept = new Map<number, KeptResult>();

  async load(): Promise<KeptResult[]> {
    return [...this.kept.values()].sort((a, b) => a.seq - b.seq);
  }

  async keep(result: KeptResult): Promise<void> {
    this.kept.set(result.seq, { ...result });
  }

  async forget(seqs: readonly number[]): Promise<void> {
    for (const seq of seqs) this.kept.delete(seq);
  }
}
