/** What the node's half of a session remembers, hears and asks for. Plain data. */
import type {
  Backend,
  Capabilities,
  CoordinatorMessage,
  FailReason,
  JobDescription,
  LeaseMessage,
  NodeMessage,
  Preferences,
  ResultMessage,
} from "../protocol/messages.ts";

/** A result as it is kept until it is acknowledged; signed once, sent as often as needed. */
export type KeptResult = Omit<ResultMessage, "type">;

export interface AgentLease {
  message: LeaseMessage;
  job: JobDescription;
  /** First grain that is in no result yet. */
  next: number;
  /** Finished grains from `next` on, not yet in a result. */
  partials: Uint8Array[];
  partialBytes: number;
  computeMs: number;
  build: string;
  /** The slot that computes it, or null while it waits. */
  slot: number | null;
  /** Part of the grain that is being computed. */
  fraction: number;
  flushedAtMs: number;
}

/** Last words on a lease, said once the results before them were sent: they must not overtake finished grains. */
export interface Deferred {
  seqs: Set<number>;
  words: NodeMessage;
}

/**
 * stopped -> connecting -> greeting -> online -> (waiting -> connecting ...) -> draining -> stopped
 * refused: the coordinator said that coming back is pointless.
 */
export const phaseTransitions = {
  stopped: ["connecting"],
  connecting: ["greeting", "waiting", "draining", "refused"],
  greeting: ["online", "waiting", "draining", "refused"],
  online: ["waiting", "draining", "refused"],
  waiting: ["connecting", "draining", "refused"],
  draining: ["stopped"],
  refused: ["connecting", "draining", "stopped"],
} as const satisfies Record<string, readonly string[]>;
export type Phase = keyof typeof phaseTransitions;

export interface AgentState {
  phase: Phase;
  /** Why it is in this phase, for the owner. */
  reason: { code: string; message: string; remedy: string };
  session: string;
  publicKey: Uint8Array;
  joinToken: string | null;
  capabilities: Capabilities;
  /** What the owner wants; `offered` says what of it this machine can do now. */
  preferences: Preferences;
  node: string | null;
  /** Token of this session's last words by HTTP, as the last welcome told it; null where it told none. */
  release: string | null;
  own: boolean;
  heartbeatMs: number;
  flushMs: number;
  /** How often long grains are saved; null: never. */
  checkpointMs: number | null;
  sign: boolean;
  attempts: number;
  reconnectAtMs: number;
  /** Connecting and greeting may take until then. */
  greetByMs: number;
  heardAtMs: number;
  heartbeatAtMs: number;
  /** Until then slots may finish what they compute, while draining; null once computing has ended. */
  finishByMs: number | null;
  drainByMs: number;
  drainReason: string;
  jobs: Map<string, JobDescription>;
  leases: Map<string, AgentLease>;
  /** What each slot computes: a lease id, or null. */
  slots: Record<Backend, (string | null)[]>;
  /** Milliseconds of one grain, by job and backend: how many are asked for at once. */
  grainMs: Map<string, number>;
  /** Jobs of which a grain did not come back: one is asked for at a time. */
  oneByOne: Set<string>;
  unacknowledged: Map<number, KeptResult>;
  unacknowledgedBytes: number;
  /** Results whose signature is being made. */
  signing: Set<number>;
  deferred: Deferred[];
  nextSeq: number;
  idle: { code: string; message: string }[];
  standing: { accepted: number; rejected: number; coreSeconds: number };
  sentResults: number;
  acknowledgedByBackend: Record<string, number>;
  story: string[];
}

export type AgentEvent =
  | { type: "start" }
  /** Results of an earlier run that were never acknowledged. */
  | { type: "restored"; results: readonly KeptResult[] }
  | { type: "opened" }
  | { type: "closed"; reason: string; entropy: number }
  | { type: "received"; message: CoordinatorMessage; entropy: number }
  | { type: "hello.signed"; signature: Uint8Array }
  | { type: "result.signed"; seq: number; root: Uint8Array; signature: Uint8Array }
  /** The key could not sign: the result is given up, and its grains are computed elsewhere. */
  | { type: "result.unsigned"; seq: number }
  | {
      type: "computed";
      backend: Backend;
      slot: number;
      lease: string;
      lo: number;
      partials: readonly Uint8Array[];
      computeMs: number;
      build: string;
    }
  | {
      type: "failed";
      backend: Backend;
      slot: number;
      lease: string;
      grain: number;
      reason: FailReason;
      message: string;
    }
  | { type: "fraction"; lease: string; fraction: number }
  /** Where a long grain stands. */
  | { type: "saved"; lease: string; grain: number; bytes: Uint8Array }
  | { type: "preferences"; preferences: Preferences }
  | { type: "capabilities"; capabilities: Capabilities; reason: string }
  | { type: "calibrated"; speeds: Extract<NodeMessage, { type: "calibration" }>["speeds"] }
  | { type: "tick"; entropy: number }
  /** Slots finish the grains that they compute, for a moment; then as `stop`. */
  | { type: "drain"; reason: string }
  | { type: "stop"; reason: string };

export type AgentEffect =
  | { type: "connect" }
  | { type: "disconnect" }
  | { type: "send"; messages: NodeMessage[] }
  | { type: "sign.hello"; nonce: Uint8Array }
  | { type: "sign.result"; result: KeptResult }
  | { type: "keep"; result: KeptResult }
  | { type: "forget"; seqs: number[] }
  /** Grains lo..hi of a lease, on one slot. */
  | {
      type: "compute";
      backend: Backend;
      slot: number;
      lease: LeaseMessage;
      job: JobDescription;
      lo: number;
      hi: number;
    }
  | { type: "abort"; backend: Backend; slot: number }
  | { type: "calibrate" }
  | { type: "stopped" }
  /** Something that the owner's page shows has changed. */
  | { type: "changed" };

export const allBackends: readonly Backend[] = ["webgpu", "native", "wasm"];
