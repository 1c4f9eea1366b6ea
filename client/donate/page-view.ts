/** The agent's view and the meters, as the page shows them. */
import type { AgentView } from "../../agent/runner.ts";
import type { BrowserCompute } from "./compute-port.ts";
import type { PageView, Phase } from "./view.ts";

export function pageView(view: AgentView, compute: BrowserCompute, threads: number): PageView {
  const phase = phaseOf(view);
  const troubled = view.phase === "refused" || view.phase === "waiting";
  const { wasm = 0, webgpu = 0, native = 0 } = view.acknowledgedByBackend;
  return {
    phase,
    meters: compute.meters(threads),
    gpu: compute.gpuView,
    reasons: view.idle,
    trouble: troubled ? { message: view.reason.message, remedy: view.reason.remedy } : null,
    accepted: wasm + webgpu + native,
    rejected: view.standing.rejected,
    acceptedByBackend: { wasm, webgpu, native },
    unacknowledged: view.unacknowledged,
    coreSeconds: view.node === null ? null : view.standing.coreSeconds,
    finding: compute.finding,
    gpuDispatches: compute.gpuDispatches,
    nodeId: view.node,
  };
}

function phaseOf(view: AgentView): Phase {
  switch (view.phase) {
    case "online":
      return view.leases.length > 0 ? "computing" : "idle";
    case "connecting":
    case "greeting":
    case "waiting":
      return "connecting";
    case "refused":
      return "refused";
    case "draining":
      return "stopping";
    case "stopped":
      return "stopped";
  }
}
