import type { Workload } from "./contract.ts";
import * as registry from "./registry.ts";

/** The registry as a map from wire name to workload. */
export type Workloads = ReadonlyMap<string, Workload>;

export const workloads: Workloads = new Map(
  Object.values(registry).map((workload) => [workload.type, workload as unknown as Workload]),
);

/** Wire names of the user's document that have no kernel yet, or that are another name for one. */
export const plannedWorkloads = [
  "llm_inference",
  "video_encode_h264",
  "video_encode_h265",
  "database_ops",
  "web_server_load",
  "neural_training",
  "ml_training",
  "stream_processing",
  "onnx_inference",
] as const;
