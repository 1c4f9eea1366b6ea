/** The SDK: `const grid = connect("http://localhost:8000", { key })`. See docs/sdk.md. */
export type {
  JobEvent,
  JobState,
  JobView,
  NetworkStatus,
  NodeView,
  Reason,
  WorkloadType,
} from "../../protocol/rest.ts";
export { type ConnectOptions, connect, type Grid, type SubmittedJob } from "./grid.ts";
export type { Job } from "./job.ts";
export type { MapOptions, Mapped } from "./map.ts";
export { GridProblem, type LocalCode } from "./problem.ts";
export type { RetryOptions } from "./retry.ts";
export type {
  Accepted,
  CallOptions,
  JobFilter,
  JobReport,
  PayloadOf,
  Payloads,
  ProgressEvent,
  ProgressOptions,
  ResultOf,
  Results,
  SubmitOptions,
  WorkloadName,
  WorkloadTypes,
} from "./types.ts";
export type { Uploaded, UploadOptions } from "./upload.ts";
