import type { Backend } from "../protocol/messages.ts";
import type { AgentState, Phase } from "./machine-state.ts";
import { computedTo, grainMsOf } from "./machine-work.ts";

/** What a page or a log shows of a node: plain data. */
export interface AgentView {
  phase: Phase;
  reason: { code: string; message: string; remedy: string };
  node: string | null;
  /** Token of last words by HTTP, for what outlives the node's socket; null until welcomed. */
  release: string | null;
  own: boolean;
  slots: Record<Backend, number>;
  leases: {
    lease: string;
    job: string;
    workload: string;
    backend: Backend;
    /** The slot that computes it, or null while it waits. */
    slot: number | null;
    grains: number;
    done: number;
    /** Part of the grains that are being computed. */
    fraction: number;
    /** Milliseconds of one grain on one slot; null until measured. */
    grainMs: number | null;
  }[];
  /** Accepted and rejected slices and core-seconds of this identity, as the coordinator says. */
  standing: { accepted: number; rejected: number; coreSeconds: number };
  /** Results that this session had acknowledged, by backend. */
  acknowledgedByBackend: Record<string, number>;
  sentResults: number;
  unacknowledged: number;
  /** Why there is nothing to do. */
  idle: { code: string; message: string }[];
}

export function viewOf(state: AgentState): AgentView {
  return {
    phase: state.phase,
    reason: state.reason,
    node: state.node,
    release: state.release,
    own: state.own,
    slots: { wasm: state.slots.wasm.length, webgpu: state.slots.webgpu.length, native: state.slots.native.length },
    leases: [...state.leases.values()].map((lease) => ({
      lease: lease.message.lease,
      job: lease.message.job,
      workload: lease.job.workload,
      backend: lease.message.backend,
      slot: lease.slot,
      grains: lease.message.hi - lease.message.lo,
      done: computedTo(lease) - lease.message.lo,
      fraction: lease.fraction,
      grainMs: grainMsOf(state, lease) ?? null,
    })),
    standing: { ...state.standing },
    acknowledgedByBackend: { ...state.acknowledgedByBackend },
    sentResults: state.sentResults,
    unacknowledged: state.unacknowledged.size,
    idle: state.idle,
  };
}
