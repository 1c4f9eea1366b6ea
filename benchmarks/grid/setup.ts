/** What the benchmark's processes tell each other. */

export const joinToken = "benchmark-join-token";

export interface CoordinatorSetup {
  /** Database and blobs go here. */
  folder: string;
  /** Most grains, which are tasks here, in a slice. */
  sliceGrains: number;
  sign: boolean;
}

/** Of the coordinator's process, all its threads included, since it started. */
export interface Usage {
  cpuUs: number;
  /** Of the event loop of its main thread. */
  activeMs: number;
  idleMs: number;
  /** Group commits, and writes in them. */
  batches: number;
  writes: number;
  /** Time that commits took, from hand-over to answer. */
  commitMs: number;
}

export interface NodesSetup {
  port: number;
  nodes: number;
  /** Slots of each node once they are let go; each slot holds two leases. */
  slots: number;
  /** "turn": results of the leases that came in one frame go back in one frame. "result": each in a frame of its own. */
  frames: "turn" | "result";
}

export interface RunTimes {
  /** From the first lease that any node received to the last acknowledgement. */
  ms: number;
  tasks: number;
  /** Copies of last slices included. */
  results: number;
  /** Frames received and sent by all nodes. */
  framesIn: number;
  framesOut: number;
  cpuUs: number;
}
