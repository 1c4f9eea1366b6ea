/** What the autoscaler sees of a running grid, and does to it. */
import type { CoreState } from "../core/state.ts";
import type { Store, Write } from "../store/store.ts";
import type { Engine } from "./engine.ts";
import type { Nodes } from "./nodes.ts";

export interface ScalingPort {
  state(): CoreState;
  /** Whether nodes are on record that have not come back since the start. */
  awaitsNodes(): boolean;
  /** The node gets no new work, or gets it again. */
  retire(node: string, retiring: boolean): void;
  /** Nobody pays for the job any more. */
  leaveToVolunteers(job: string): void;
  /** Resolves when all of it is durable. */
  written(writes: readonly Write[]): Promise<void>;
  documents(room: string): Promise<{ key: string; value: string }[]>;
}

export const scalingPort = (
  engine: Engine,
  nodes: Nodes,
  store: Store,
  written: ScalingPort["written"],
): ScalingPort => ({
  state: () => engine.state,
  awaitsNodes: () => nodes.awaits(engine.state),
  retire: (node, retiring) => engine.loop.dispatch({ type: "retire", node, retiring }),
  leaveToVolunteers: (job) => engine.loop.dispatch({ type: "unpaid", job }),
  written,
  documents: (room) => store.documents(room),
});
