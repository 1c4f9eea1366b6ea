/** What the core remembers. Plain data, mutated in place by `grid.ts` and its rooms, never from outside. */
import type { Verification, Workload } from "../../kernels/contract.ts";
import type {
  Backend,
  Capabilities,
  FailReason,
  HeldLease,
  KernelFiles,
  Preferences,
} from "../../protocol/messages.ts";
import type { Reason } from "../../protocol/rest.ts";
import type { Checkpoint } from "./checkpoints.ts";
import type { Draw } from "./draw.ts";
import type { CoreConfig } from "./limits.ts";
import type { Suspicion } from "./quarantine.ts";
import type { JobQueue } from "./queue.ts";
import type { Coverage, RangeSet } from "./ranges.ts";
import type { Replication } from "./replicas.ts";
import type { StandingState } from "./transitions.ts";
import type { Trust } from "./trust.ts";

/** Who a job is for to compute, and what it may cost. */
export interface JobTerms {
  /** "paid": instances may be launched for it, and they do only such jobs. */
  supply: "volunteers" | "paid";
  /** When it should be done; milliseconds since the epoch. */
  deadlineMs: number | null;
  budgetDollars: number | null;
  /** Where the work comes from, as a region of the autoscaler's; null where nobody said. */
  region: string | null;
  /** Whose machines may see its data: own nodes only, trusted volunteers too, or all. */
  placement: "own" | "trusted" | "volunteers";
}

export const freeTerms: JobTerms = {
  supply: "volunteers",
  deadlineMs: null,
  budgetDollars: null,
  region: null,
  placement: "volunteers",
};

export interface Speed {
  opsPerSecond: number;
  /** Finished results behind the figure; 0 for a calibration run. */
  samples: number;
}

export interface Node {
  id: string;
  own: boolean;
  session: string;
  /** The shell's number of the live connection, or null while disconnected. */
  connection: number | null;
  disconnectedAtMs: number | null;
  capabilities: Capabilities;
  preferences: Preferences;
  leases: Set<string>;
  /** Leases held, by backend. */
  held: Record<Backend, number>;
  /** What those were estimated at when they were cut, in sum. */
  heldMs: Record<Backend, number>;
  speeds: Map<string, Speed>;
  /** Core-seconds per second of one slot, over all workloads. */
  pace: Map<Backend, number>;
  /** Jobs that this session knows already. */
  jobsSent: Set<string>;
  /** Blobs that it was told to fetch, in this session and those before, the oldest first: it may have them still. */
  fetched: Set<string>;
  connectedAtMs: number;
  lastSeenMs: number;
  draining: boolean;
  /** An instance, which costs money or the operator's patience: it does only what somebody pays for. */
  hired: boolean;
  /** The autoscaler means to end it: it keeps what it holds, and gets nothing more. */
  retiring: boolean;
  /** After rejected results or failures of its own: no work until then, and why. */
  waitsUntilMs: number;
  waitReason: FailReason | "result_rejected" | null;
  /** Failures that speak of the node, since a result of its last counted. */
  failuresInRow: number;
  rejectionsInRow: number;
  acceptedSlices: number;
  rejectedSlices: number;
  coreSeconds: number;
  /** Accepted or rejected work since the node was last told; told once a second at most. */
  standingChanged: boolean;
  idleReasons: Reason[];
  idleSent: string;
  /** `workVersion` at which nothing was found for it. */
  fruitless: number;
  /** `copyVersion` at which no lease was worth a copy on it. */
  copiesSeen: number;
}

export interface Lease {
  id: string;
  ticket: string;
  job: string;
  round: number;
  lo: number;
  hi: number;
  /** First grain that no result of this lease covers. */
  next: number;
  node: string;
  backend: Backend;
  /** The result that this lease's is held against, or null: an audit, or a replica. */
  audit: number | null;
  replica: boolean;
  /** The other lease over the same grains, when one is a speculative copy. */
  twin: string | null;
  speculative: boolean;
  state: "issued" | "running";
  issuedAtMs: number;
  estimateMs: number;
  deadlineMs: number;
  deadlineMsMax: number;
  /** As last told by the node: grains done, and part of the current one. */
  done: number;
  fraction: number;
  /** Core-seconds charged to the submitter; what is not computed is refunded. */
  coreSecondsPerGrain: number;
  /** What its first grain goes on from. */
  checkpoint: Checkpoint | null;
}

/** One grain of a result that an own node computes again. */
export interface Audit {
  grain: number;
  /** The volunteer's partial of that grain, until the verdict; null while it is brought from the record. */
  partial: Uint8Array | null;
  state: "bringing" | "queued" | "leased" | "comparing";
  /** The second look at a grain that was wrong: from where its node went on. */
  from: Checkpoint | null;
  /** The auditor's message, acknowledged with the verdict. */
  answer: { connection: number; seq: number; node: string; own: boolean } | null;
}

/** The unaudited work of one node in a job, tested as one. */
export interface Closing {
  /** Grains that are still to pass. */
  left: number;
  results: readonly number[];
}

export interface Result {
  id: number;
  lo: number;
  hi: number;
  node: string;
  own: boolean;
  backend: Backend;
  lease: string;
  standing: StandingState;
  /** The certificate was not checked yet. */
  checking: boolean;
  /** Audits that have not passed. */
  audits: Audit[];
  /** While others compute it as well. */
  replication: Replication | null;
  /** Answers of others that agreed with it. */
  agreements: number;
  /** Grains that an audit found right, and wrong. */
  passed: number;
  wrong: number;
  /** What the first audit that found it wrong said. */
  fault: string | null;
  /** What others had computed of its first grain. */
  resumed: Checkpoint | null;
  /** The judge merged it. */
  merged: boolean;
  /** Why it counts. */
  grounds: Grounds;
  computeMs: number;
}

/** trust: of a node that passed many audits, itself not drawn. replica: others' results agree. */
export type Grounds = "own" | "certificate" | "audit" | "replica" | "trust" | "";

export interface JobStats {
  acceptedResults: number;
  acceptedGrains: number;
  rejectedResults: number;
  auditedResults: number;
  ownResults: number;
  certifiedResults: number;
  slicesByBackend: Record<string, number>;
  slicesByNodeKind: Record<string, number>;
  acceptedComputeMs: number;
  spentComputeMs: number;
  retractedResults: number;
  provisionalResults: number;
  /** What was computed for the job, in core-seconds, by what became of it. */
  cost: Cost;
  /** Results for grains that another result stands for already. */
  spareResults: number;
}

/** Core-seconds. What was computed and is in none of the others waits for its verdict. */
export interface Cost {
  computed: number;
  accepted: number;
  audit: number;
  replica: number;
  /** Copies of last grains that came second. */
  speculation: number;
  /** Rejected, retracted, or for grains that another result stands for. */
  waste: number;
}

export const noCost = (): Cost => ({ computed: 0, accepted: 0, audit: 0, replica: 0, speculation: 0, waste: 0 });

export const emptyStats = (): JobStats => ({
  acceptedResults: 0,
  acceptedGrains: 0,
  rejectedResults: 0,
  auditedResults: 0,
  ownResults: 0,
  certifiedResults: 0,
  slicesByBackend: {},
  slicesByNodeKind: {},
  acceptedComputeMs: 0,
  spentComputeMs: 0,
  retractedResults: 0,
  provisionalResults: 0,
  cost: noCost(),
  spareResults: 0,
});

export interface Cooling {
  lo: number;
  hi: number;
  untilMs: number;
}

export interface Failure {
  nodes: Set<string>;
  own: number;
  count: number;
}

export interface Job {
  id: string;
  submitter: string;
  workload: Workload;
  payload: unknown;
  payloadBlob: string | null;
  priority: number;
  terms: JobTerms;
  kernel: string;
  files: KernelFiles;
  createdAtMs: number;
  startedAtMs: number | null;
  /** admitting: not durable yet. finishing: all that is needed is verified. */
  phase: "admitting" | "queued" | "running" | "finishing" | "ended";
  round: number;
  revision: number;
  input: string | null;
  tasks: number;
  grainTasks: number;
  grains: number;
  output: "reduce" | "rows" | "blobs";
  backends: readonly Backend[];
  memoryBytes: number;
  engines: readonly string[];
  consents: readonly string[];
  /** Volunteers get it once an own node has computed a grain. */
  triedFirst: boolean;
  /** Jobs of one class fit the same nodes. */
  needsClass: string;
  /** Does the judge see its results? Not when partials are the output and nothing is checked. */
  judged: boolean;
  hasCheck: boolean;
  /** Core-seconds of a full grain. */
  grainCoreSeconds: number;
  /** As the workload bounds it: its inputs travel with the lease. */
  sliceGrainsMax: number;
  grainOperations: number;
  /** Grains below this are in committed extents. */
  claimed: number;
  claiming: boolean;
  /** After a restart: the judge was not brought all that was confirmed before. */
  restoring: boolean;
  open: RangeSet;
  cooling: Cooling[];
  coverage: Coverage<number>;
  candidateGrains: number;
  provisionalGrains: number;
  confirmedGrains: number;
  results: Map<number, Result>;
  /** How its results are believed. */
  verification: Verification;
  /** Results that rest on a volunteer's word, by node. */
  onTrust: Map<string, Set<number>>;
  closing: Map<string, Closing>;
  /** Volunteers with results in this round. */
  workers: Set<string>;
  /** What is merged is enough: nothing more is cut. */
  enough: boolean;
  /** Rises when an output that was asked for is void; answers to earlier requests are not heard. */
  attempt: number;
  leases: Set<string>;
  failures: Map<number, Failure>;
  /** Grains that only own nodes may try again. */
  ownOnly: Set<number>;
  stats: JobStats;
  reason: Reason | null;
  preview: unknown;
  /** Position in its submitter's queue: the smaller goes first. Rises when served. */
  queueKey: number;
  queueIndex: number;
  sequence: number;
  /** Sessions that were sent this job's description, by node. */
  sentTo: Set<string>;
  /** What happened to its grains lately, for the message of an illegal transition. */
  story: Story;
}

/** The last things that happened to a job's grains: kept as numbers and names, told only when asked. */
export class Story {
  #entries: [what: string, lo: number, hi: number, who: string | number][] = [];

  add(what: string, lo: number, hi: number, who: string | number): void {
    if (this.#entries.length >= 64) this.#entries.shift();
    this.#entries.push([what, lo, hi, who]);
  }

  /** What happened to grains that overlap [lo, hi). */
  tell(lo: number, hi: number): string[] {
    return this.#entries
      .filter((entry) => entry[1] < hi && entry[2] > lo)
      .map(([what, from, to, who]) => `${what} [${from},${to}) ${who}`);
  }
}

export interface Submitter {
  id: string;
  /** Core-seconds it may still take in this turn; negative after a large slice. */
  deficit: number;
  /** Runnable jobs, by needs class. */
  queues: Map<string, JobQueue>;
  runnable: number;
}

export interface Totals {
  completed: number;
  failed: number;
  cancelled: number;
  acceptedSlices: number;
  acceptedGrains: number;
  acceptedCoreSeconds: number;
  cost: Cost;
  bannedNodes: number;
}

export interface CoreState {
  config: CoreConfig;
  epoch: number;
  /** Stopping: no new leases. */
  draining: boolean;
  nextLease: number;
  nextResult: number;
  nextSequence: number;
  jobs: Map<string, Job>;
  nodes: Map<string, Node>;
  /** What is known of volunteers' identities, here or not. */
  trust: Map<string, Trust>;
  /** Classes of machines that got kernels wrong. */
  suspicions: Map<string, Suspicion>;
  /** Researchers' kernels that failed on an own node: volunteers get them no more. */
  condemned: Set<string>;
  /** Identities whose trust is to be written. */
  changedTrust: Set<string>;
  /** Randomness of this step. */
  draw: Draw;
  connections: Map<number, string>;
  leases: Map<string, Lease>;
  submitters: Map<string, Submitter>;
  /** Submitters with runnable jobs, in turn. */
  ring: string[];
  ringAt: number;
  /** Results that wait for an own node to replay a grain, by job; the job served last stands last. */
  audits: Map<string, number[]>;
  /** Results that others compute as well, by job. */
  replicas: Map<string, Set<number>>;
  /** Nodes that could take another lease. */
  hungry: Set<string>;
  /** Jobs with leases but nothing left to cut: their last grains may be copied. */
  tail: Set<string>;
  /** Leases that have a copy now. */
  copies: number;
  /** Rises whenever copies may have become worthwhile: each second, and when a job has nothing left to cut. */
  copyVersion: number;
  /** What nodes saved of long grains, by job and grain, the oldest first; and their bytes. */
  checkpoints: Map<string, Checkpoint>;
  checkpointBytes: number;
  /** What one core of the grid reaches, over all: core-seconds per second of all slots online. */
  fleetCoreSeconds: number;
  /** Volunteers are connected, whose results may have to be audited at once. */
  volunteersHere: boolean;
  totals: Totals;
  /** Rises whenever work or a node changed so that another look for work may succeed. */
  workVersion: number;
  lastTickMs: number;
  /** For the live feed; the shell drains them. */
  changedJobs: Set<string>;
  changedNodes: Set<string>;
}

export type { HeldLease };
