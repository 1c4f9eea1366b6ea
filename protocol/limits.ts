/** Every size that crosses the wire is bounded here, and nowhere else. */
export const limits = {
  /** One WebSocket frame from a node, in bytes. Bulk data goes over HTTP as blobs. */
  nodeFrameBytesMax: 1 << 20,
  /** One WebSocket frame from the coordinator, in bytes. */
  coordinatorFrameBytesMax: 4 << 20,
  /** Messages in one frame. */
  frameMessagesMax: 4096,
  /** Grains in one slice. */
  sliceGrainsMax: 1024,
  /** Grains in one round of a job. */
  jobGrainsMax: 1 << 20,
  /** Bytes of one grain's partial when it travels inline. */
  partialBytesMax: 65_535,
  /** Payloads and inputs larger than this travel as blobs. */
  inlineBytesMax: 64 << 10,
  /** Body of a submitted workload, in bytes. */
  submitBytesMax: 16 << 20,
  /** What a kernel saves of a task that is under way. */
  checkpointBytesMax: 256 << 10,
  /** Leases that a node may hold at once, over all its slots. */
  nodeLeasesMax: 1024,
  /** Compute slots that one node may offer for one backend. */
  nodeSlotsMax: 256,
  /** Results that a node keeps while they wait for their acknowledgement. */
  unacknowledgedResultsMax: 4096,
  /** Characters of the token that ends a session: node, session and code. */
  releaseTokenMax: 128,
} as const;
