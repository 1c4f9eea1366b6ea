/** What the agent's worker tells the page: plain data, a few times a second. */
import type { Picture } from "../../kernels/contract.ts";
import type { Backend, Slots } from "../../protocol/messages.ts";
import type { RegionId } from "../../protocol/regions.ts";
import type { Reason } from "../../protocol/rest.ts";

export type Phase = "starting" | "connecting" | "idle" | "computing" | "stopping" | "stopped" | "refused";

/** One thread, or the GPU. */
export interface Meter {
  backend: Backend;
  slot: number;
  /** Wire name of what it computes now; null while it waits. */
  workload: string | null;
  /** Of the grain being computed, 0 to 1. */
  fraction: number;
  /** Core-seconds of work per second, over the last grains; null until measured. */
  speed: number | null;
  grains: number;
}

export interface GpuView {
  state: "off" | "checking" | "on" | "unavailable" | "lost";
  /** Why, as a sentence; "" when it is on. */
  message: string;
  name: string;
}

export interface Trouble {
  message: string;
  remedy: string;
}

export interface PageView {
  phase: Phase;
  meters: Meter[];
  gpu: GpuView;
  /** Why it is idle, in the coordinator's words. */
  reasons: Reason[];
  trouble: Trouble | null;
  /** Results of this session that the coordinator accepted and rejected after checking them. */
  accepted: number;
  rejected: number;
  /** Results of this session that the coordinator has stored; those not accepted yet are being checked. */
  storedByBackend: Record<Backend, number>;
  /** Results computed that wait for their acknowledgement. */
  unacknowledged: number;
  /** Work accepted over all of this identity's sessions, in core-seconds; null until told. */
  coreSeconds: number | null;
  /** What the last finished grain found, in the workload's words. */
  finding: string;
  /** Samples of the last finished grain, to draw; the number tells a new one. */
  picture: (Picture & { serial: number }) | null;
  gpuDispatches: number;
  nodeId: string | null;
  /** What the page sends as it closes; null until the coordinator gave it. */
  release: string | null;
}

/** What the owner chose on the page. */
export interface Choices {
  threads: number;
  gpu: boolean;
  /** Share of the time that each thread computes. */
  duty: number;
  /** Memory that one kernel may have. */
  memoryBytesMax: number;
  families: string[];
  name: string | null;
  region: RegionId | null;
}

export const slotsOf = (choices: Choices): Slots => ({ wasm: choices.threads, webgpu: choices.gpu ? 1 : 0, native: 0 });

export const stoppedView: PageView = {
  phase: "stopped",
  meters: [],
  gpu: { state: "off", message: "", name: "" },
  reasons: [],
  trouble: null,
  accepted: 0,
  rejected: 0,
  storedByBackend: { wasm: 0, webgpu: 0, native: 0 },
  unacknowledged: 0,
  coreSeconds: null,
  finding: "",
  picture: null,
  gpuDispatches: 0,
  nodeId: null,
  release: null,
};

/** What the machine does now, in words for its owner. `titleOf` names a workload. */
export function statusWords(
  view: PageView,
  titleOf: (workload: string) => string,
): { headline: string; detail: string } {
  switch (view.phase) {
    case "starting":
      return { headline: "Starting", detail: "Preparing the compute threads." };
    case "connecting":
      return { headline: "Connecting", detail: "Reaching the coordinator that hands out the work." };
    case "stopping":
      return { headline: "Stopping", detail: "Handing back what is unfinished." };
    case "stopped":
      return { headline: "Stopped", detail: "Nothing runs on this device." };
    case "refused":
      return { headline: "Not accepted", detail: view.trouble?.message ?? "The coordinator refused this tab." };
    case "idle":
      return { headline: "Ready", detail: view.reasons[0]?.message ?? "Waiting for work." };
    case "computing":
      return { headline: "Computing", detail: computingWords(view, titleOf) };
  }
}

function computingWords(view: PageView, titleOf: (workload: string) => string): string {
  const busy = view.meters.filter((meter) => meter.workload !== null);
  const titles = [...new Set(busy.map((meter) => titleOf(meter.workload!)))];
  const threads = busy.filter((meter) => meter.backend === "wasm").length;
  const places: string[] = [];
  if (threads > 0) places.push(threads === 1 ? "one CPU thread" : `${threads} CPU threads`);
  if (busy.some((meter) => meter.backend === "webgpu")) places.push("the graphics processor");
  if (titles.length === 0) return "Sending results and fetching the next piece.";
  return `${titles.join(" and ")}, on ${places.join(" and ")}.`;
}

/** Core-seconds of work per second over all meters; null until one was measured. */
export function totalSpeed(meters: readonly Meter[]): number | null {
  const speeds = meters.filter((meter) => meter.workload !== null && meter.speed !== null).map((meter) => meter.speed!);
  return speeds.length === 0 ? null : speeds.reduce((sum, speed) => sum + speed, 0);
}
