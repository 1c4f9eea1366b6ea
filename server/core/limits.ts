/** Every limit and duration of the core. Milliseconds unless the name says otherwise. */
export interface CoreConfig {
  /** Length of a node's first slice for a kernel, and the length that it grows to. */
  firstSliceMs: number;
  sliceMs: number;
  /** Grains in a slice; the benchmark fixes it. */
  sliceGrainsMax: number;
  /** Leases in flight for each slot: one computes, the others wait on the node. */
  leasesPerSlot: number;
  /** More, while all that are held for the slot take less than `lightMs` together. */
  lightLeasesPerSlot: number;
  lightMs: number;
  /**
   * Leases that may have a copy at a time: this share of all, and at least `copiesMin`. An overloaded grid is late with
   * everything; it must not take on the double of that.
   */
  copiesShareMax: number;
  copiesMin: number;
  /** A lease without progress ends after this many estimates, and never before `leaseMsMin`. */
  leaseMsMin: number;
  leaseEstimatesMax: number;
  /** A node that says nothing for this long is lost. Looked at once a second, so that its leases are free within 20 s. */
  silentMs: number;
  /** A node whose connection closed keeps its leases this long. */
  reconnectMs: number;
  /** After a restart, ranges that nodes may still hold are not cut again for this long. */
  recoveryMs: number;
  /** A grain that failed waits this long, doubled by each failure. */
  retryMs: number;
  /** A job fails when a grain failed on an own node this often, or on this many different nodes. */
  ownFailuresMax: number;
  nodeFailuresMax: number;
  /** And however few nodes there are, when it failed this often in all. */
  grainFailuresMax: number;
  /** A node whose result was rejected waits this long, doubled by each rejection. */
  rejectedMs: number;
  rejectedMsMax: number;
  /** Grains of one extent: what a coordinator claims at once. */
  extentGrains: number;
  /** One step of priority is worth this much waiting. */
  priorityMs: number;
  /** Core-seconds that a submitter's turn is worth. */
  quantumCoreSeconds: number;
  heartbeatMs: number;
  flushMs: number;
  signResults: boolean;
  openJobsMax: number;
  /** Jobs of this submitter are for volunteers to see their own work in: own nodes only audit them. */
  volunteersSubmitter: string | null;
  /** An identity is a newcomer until so many of its results passed an audit; till then all are audited. */
  newcomerAudits: number;
  /** Grains of a newcomer's first slices at most, one after the other. */
  newcomerGrains: readonly number[];
  /** At a job's end, at most this share of a trusted node's unaudited grains is audited. */
  closingShareMax: number;
  /** The grains audited at a job's end fall by half once so many times as many of an identity passed. */
  closingSpan: number;
  /** Those who compute the same grains, or audit each other, must come from different networks. */
  distinctNetworks: boolean;
  /** A node that is gone for so long will hardly be back: what rests on its word is audited then. */
  leftMs: number;
  /** A job waits at most so long while nodes go on with others of its submitter whose data they have. */
  nearMs: number;
  /** How often nodes save long grains, where kernels can; and what is kept of them, over all jobs. */
  checkpointMs: number;
  checkpointBytesMax: number;
  /** So many single wrong grains of one machine are a fault that stays: no more of that kernel on that backend. */
  faultsMax: number;
  /** Identities of one class that a kernel failed on, of different networks, before the class is quarantined. */
  quarantineNodes: number;
}

export const defaultConfig: CoreConfig = {
  firstSliceMs: 1_000,
  sliceMs: 10_000,
  sliceGrainsMax: 1024,
  leasesPerSlot: 2,
  lightLeasesPerSlot: 16,
  lightMs: 50,
  copiesShareMax: 0.1,
  copiesMin: 32,
  leaseMsMin: 15_000,
  leaseEstimatesMax: 3,
  silentMs: 18_000,
  reconnectMs: 5_000,
  recoveryMs: 4_000,
  retryMs: 1_000,
  ownFailuresMax: 2,
  nodeFailuresMax: 5,
  grainFailuresMax: 12,
  rejectedMs: 5_000,
  rejectedMsMax: 600_000,
  extentGrains: 65_536,
  priorityMs: 60_000,
  quantumCoreSeconds: 10,
  heartbeatMs: 5_000,
  flushMs: 5_000,
  signResults: true,
  openJobsMax: 100_000,
  volunteersSubmitter: null,
  newcomerAudits: 20,
  newcomerGrains: [1, 16, 16],
  closingShareMax: 1 / 16,
  closingSpan: 4,
  distinctNetworks: true,
  leftMs: 60_000,
  nearMs: 10_000,
  checkpointMs: 5_000,
  checkpointBytesMax: 64 << 20,
  faultsMax: 2,
  quarantineNodes: 3,
};
