/** Records for tests: complete, plain, and changed where a test cares. */
import type { ExtentRecord, JobRecord, KeyRecord, NodeRecord, ResultRecord, RoundRecord, Write } from "./store.ts";
import { StoreError, type StoreErrorCode } from "./store.ts";

export const aJob = (change: Partial<JobRecord> & { id: string }): JobRecord => ({
  submitter: "local",
  workload: "monte_carlo",
  payload: "{}",
  payloadBlob: null,
  priority: 5,
  kernel: "k".repeat(64),
  files: {},
  idempotencyKey: null,
  bodyHash: null,
  createdAtMs: 1_700_000_000_000,
  startedAtMs: null,
  finishedAtMs: null,
  state: "queued",
  round: 0,
  revision: 0,
  reason: null,
  output: null,
  outputBlob: null,
  stats: null,
  verification: null,
  sealedAtMs: null,
  ...change,
});

export const aRound = (change: Partial<RoundRecord> & { job: string }): RoundRecord => ({
  round: 0,
  tasks: 1_000_000_000,
  grainTasks: 1_000,
  input: null,
  ...change,
});

export const anExtent = (change: Partial<ExtentRecord> & { job: string; epoch: number }): ExtentRecord => ({
  round: 0,
  lo: 0,
  hi: 4_096,
  owner: "c1",
  ...change,
});

export const aResult = (change: Partial<ResultRecord> & { id: number }): ResultRecord => ({
  job: "j",
  round: 0,
  lo: 0,
  hi: 1,
  node: "node-1",
  own: false,
  backend: "wasm",
  lease: `lease-${change.id}`,
  kernel: "k".repeat(64),
  build: "simd",
  computeMs: 1_000,
  atMs: 1_700_000_000_001,
  standing: "candidate",
  verdict: "",
  root: new Uint8Array(32).fill(9),
  signature: new Uint8Array(64).fill(7),
  ...change,
});

export const aNode = (change: Partial<NodeRecord> & { id: string }): NodeRecord => ({
  publicKey: new Uint8Array(32).fill(3),
  name: "a node",
  own: false,
  firstSeenMs: 1,
  lastSeenMs: 2,
  acceptedSlices: 3,
  rejectedSlices: 0,
  coreSeconds: 12.5,
  trust: "",
  taintedAtMs: null,
  ...change,
});

export const aKey = (change: Partial<KeyRecord> & { id: string }): KeyRecord => ({
  secretHash: "scrypt$...",
  label: "a key",
  scopes: ["submit"],
  createdAtMs: 1,
  revokedAtMs: null,
  supply: null,
  region: null,
  ...change,
});

/** A job with its first round and one extent of 4,096 grains. */
export function insertJob(job: JobRecord, epoch: number, round = aRound({ job: job.id })): Write[] {
  return [
    { type: "job.insert", job },
    { type: "round.insert", round },
    { type: "extent.claim", extent: anExtent({ job: job.id, epoch }) },
  ];
}

/** The code that a promise rejects with; throws when it does not. */
export async function errorCode(promise: Promise<unknown>): Promise<StoreErrorCode> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** The same value with plain byte arrays, which adapters may bring as views of their own. */
export function plain<Value>(value: Value): Value {
  if (value instanceof Uint8Array) return Uint8Array.from(value) as Value;
  if (Array.isArray(value)) return value.map(plain) as Value;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)])) as Value;
}
