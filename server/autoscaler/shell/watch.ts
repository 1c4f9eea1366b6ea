/** What single looks at the grid do not tell: since when an instance is idle, how busy it was lately. */
import type { InstanceNode } from "../model.ts";

/** A look so far back counts e times less than the present one. */
const smoothMs = 30_000;

interface Seen {
  idleSinceMs: number | null;
  utilisation: number;
  atMs: number;
}

export class Watch {
  readonly #seen = new Map<string, Seen>();

  /** The same nodes with their past, as far as it was watched. */
  look(nodes: ReadonlyMap<string, InstanceNode>, nowMs: number): Map<string, InstanceNode> {
    const looked = new Map<string, InstanceNode>();
    for (const [id, node] of nodes) {
      const before = this.#seen.get(id);
      const weight = before ? 1 - Math.exp(-Math.max(0, nowMs - before.atMs) / smoothMs) : 1;
      const utilisation = (before?.utilisation ?? 0) * (1 - weight) + node.utilisation * weight;
      const idleSinceMs = node.leases > 0 ? null : (before?.idleSinceMs ?? nowMs);
      this.#seen.set(id, { idleSinceMs, utilisation, atMs: nowMs });
      looked.set(id, { ...node, idleSinceMs, utilisation });
    }
    for (const id of this.#seen.keys()) if (!nodes.has(id)) this.#seen.delete(id);
    return looked;
  }
}
