/** What a slot of a node reaches, as measured; sizes slices and their deadlines. */
import type { Backend, ResultMessage } from "../../protocol/messages.ts";
import type { CoreState, Job, Node, Speed } from "./state.ts";

/** A slot that nothing is known of, in core-seconds per second. */
const assumed: Record<Backend, number> = { wasm: 0.5, webgpu: 2, native: 1 };

export const speedKey = (workload: string, backend: Backend): string => `${workload}/${backend}`;

/** Learns from a result's compute time. Exponentially weighted: the newest third counts. */
export function learnSpeed(
  state: CoreState,
  node: Node,
  job: Job,
  message: Pick<ResultMessage, "lo" | "hi" | "computeMs" | "backend">,
): void {
  const operations = (message.hi - message.lo) * job.grainOperations;
  // Below the clock's resolution nothing can be learnt but that it is fast.
  const opsPerSecond = (operations * 1000) / Math.max(message.computeMs, 0.05);
  const key = speedKey(job.workload.type, message.backend);
  const known = node.speeds.get(key);
  if (known && known.samples > 0) {
    known.opsPerSecond += (opsPerSecond - known.opsPerSecond) / 3;
    known.samples++;
  } else {
    node.speeds.set(key, { opsPerSecond, samples: 1 });
  }
  const pace = opsPerSecond / job.workload.opsPerCoreSecond;
  const before = node.pace.get(message.backend);
  node.pace.set(message.backend, before === undefined ? pace : before + (pace - before) / 3);
  state.changedNodes.add(node.id);
}

/** Core-seconds per second of one slot for a job; from another workload's speed where this one is unmeasured. */
export function slotSpeed(node: Node, job: Job, backend: Backend): { coreSeconds: number; samples: number } {
  const known = node.speeds.get(speedKey(job.workload.type, backend));
  if (known) return { coreSeconds: known.opsPerSecond / job.workload.opsPerCoreSecond, samples: known.samples };
  return { coreSeconds: node.pace.get(backend) ?? assumed[backend], samples: 0 };
}

/** A lease ran out: the node is slower than it was believed to be. */
export function slowDown(node: Node, job: Job, backend: Backend): void {
  const key = speedKey(job.workload.type, backend);
  const known: Speed = node.speeds.get(key) ?? {
    opsPerSecond: slotSpeed(node, job, backend).coreSeconds * job.workload.opsPerCoreSecond,
    samples: 0,
  };
  node.speeds.set(key, { opsPerSecond: known.opsPerSecond / 2, samples: known.samples });
}
