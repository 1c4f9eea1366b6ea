import type { Workload } from "./contract.ts";
import * as registry from "./registry.ts";

/** The registry as a map from wire name to workload. */
export type Workloads = ReadonlyMap<string, Workload>;

/** What people should see first; a module's exports come by name. */
const order = ["monte_carlo", "image_processing", "scientific_computing", "crypto_mining", "custom"];
const place = (type: string): number => (order.includes(type) ? order.indexOf(type) : order.length);

export const workloads: Workloads = new Map(
  Object.values(registry)
    .map((workload) => [workload.type, workload as unknown as Workload] as const)
    .sort(([a], [b]) => place(a) - place(b)),
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
