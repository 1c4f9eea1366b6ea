import type { JobState, NetworkStatus, NodeView } from "../../protocol/rest.ts";
import { isCondemned } from "../core/quarantine.ts";
import type { CoreState } from "../core/state.ts";
import { costView } from "../views.ts";

/** Accepted core-seconds per second over the last ten one-second samples. */
export class Throughput {
  #samples: { atMs: number; coreSeconds: number }[] = [];

  sample(coreSeconds: number): void {
    this.#samples.push({ atMs: Date.now(), coreSeconds });
    if (this.#samples.length > 11) this.#samples.shift();
  }

  get rate(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last.atMs <= first.atMs || last.coreSeconds < first.coreSeconds) return 0;
    return ((last.coreSeconds - first.coreSeconds) * 1000) / (last.atMs - first.atMs);
  }
}

interface StatusFacts {
  coordinator: NetworkStatus["coordinator"];
  /** Jobs that had ended when the record was opened. */
  counts: Record<JobState, number>;
  coreSecondsPerSecond: number;
}

export function statusOf(state: CoreState, nodes: NodeView[], facts: StatusFacts): NetworkStatus {
  const online = nodes.filter((node) => node.online);
  const vram = online.flatMap((node) => (node.gpu ? [node.gpu.vramBytes] : []));
  let pending = 0;
  for (const job of state.jobs.values()) if (job.phase === "admitting" || job.phase === "queued") pending++;
  const completed = facts.counts.completed + state.totals.completed;
  const failed = facts.counts.failed + state.totals.failed;
  return {
    coordinator: facts.coordinator,
    registry: {
      total_nodes: nodes.length,
      online_nodes: online.length,
      available_nodes: online.filter((node) => node.available).length,
      total_cpu_cores: online.reduce((sum, node) => sum + node.cpu_cores, 0),
      total_ram_gb: online.reduce((sum, node) => sum + (node.ram_gb ?? 0), 0),
      total_gpu_vram_gb: vram.reduce<number>((sum, bytes) => sum + (bytes ?? 0) / 2 ** 30, 0),
      unknown_ram_nodes: online.filter((node) => node.ram_gb === null).length,
      unknown_vram_nodes: vram.filter((bytes) => bytes === null).length,
    },
    scheduler: {
      pending_tasks: pending,
      active_tasks: state.jobs.size - pending,
      completed_tasks: completed,
      failed_tasks: failed,
      cancelled_tasks: facts.counts.cancelled + state.totals.cancelled,
      success_rate: completed + failed > 0 ? completed / (completed + failed) : null,
      leased_slices: state.leases.size,
      accepted_slices: state.totals.acceptedSlices,
      accepted_grains: state.totals.acceptedGrains,
      core_seconds_per_second: facts.coreSecondsPerSecond,
    },
    trust: {
      cost: costView(state.totals.cost),
      banned_nodes: state.totals.bannedNodes,
      quarantined: [...state.suspicions].flatMap(([key, suspicion]) => (isCondemned(state, suspicion) ? [key] : [])),
    },
    nodes,
  };
}
