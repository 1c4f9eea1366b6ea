/** From SQLite's rows to the port's records. */
import type { Backend } from "../../protocol/messages.ts";
import type { JobState } from "../../protocol/rest.ts";
import type { Row } from "./sqlite-session.ts";
import type { ExtentRecord, JobRecord, KeyRecord, NodeRecord, ResultRecord, RoundRecord, Standing } from "./store.ts";

const parse = (text: unknown): unknown => (text === null ? null : JSON.parse(text as string));

export function toJob(row: Row): JobRecord {
  return {
    id: row.id as string,
    submitter: row.submitter as string,
    workload: row.workload as string,
    payload: row.payload as string | null,
    payloadBlob: row.payload_blob as string | null,
    priority: row.priority as number,
    kernel: row.kernel as string,
    files: parse(row.files) as JobRecord["files"],
    idempotencyKey: row.idempotency_key as string | null,
    bodyHash: row.body_hash as string | null,
    createdAtMs: row.created_at as number,
    startedAtMs: row.started_at as number | null,
    finishedAtMs: row.finished_at as number | null,
    state: row.state as JobState,
    round: row.round as number,
    revision: row.revision as number,
    reason: parse(row.reason) as JobRecord["reason"],
    output: row.output as string | null,
    outputBlob: row.output_blob as string | null,
    stats: row.stats as string | null,
    verification: row.verification as string | null,
    sealedAtMs: row.sealed_at as number | null,
  };
}

export function toResult(row: Row, job: string): ResultRecord {
  return {
    id: row.id as number,
    job,
    round: row.round as number,
    lo: row.lo as number,
    hi: row.hi as number,
    node: row.node as string,
    own: row.own === 1,
    backend: row.backend as Backend,
    lease: row.lease as string,
    kernel: row.kernel as string,
    build: row.build as string,
    computeMs: row.compute_ms as number,
    atMs: row.at as number,
    standing: row.standing as Standing,
    verdict: row.verdict as string,
    root: new Uint8Array(row.root as Buffer),
    signature: new Uint8Array(row.signature as Buffer),
  };
}

export function toNode(row: Row): NodeRecord {
  return {
    id: row.id as string,
    publicKey: new Uint8Array(row.public_key as Buffer),
    name: row.name as string | null,
    own: row.own === 1,
    firstSeenMs: row.first_seen as number,
    lastSeenMs: row.last_seen as number,
    acceptedSlices: row.accepted as number,
    rejectedSlices: row.rejected as number,
    coreSeconds: row.core_seconds as number,
    trust: row.trust as string,
    taintedAtMs: row.tainted_at as number | null,
  };
}

export function toKey(row: Row): KeyRecord {
  return {
    id: row.id as string,
    secretHash: row.secret_hash as string,
    label: row.label as string,
    scopes: parse(row.scopes) as string[],
    createdAtMs: row.created_at as number,
    revokedAtMs: row.revoked_at as number | null,
    supply: row.supply as KeyRecord["supply"],
    region: row.region as string | null,
  };
}

export function toRound(row: Row, job: string): RoundRecord {
  return {
    job,
    round: row.round as number,
    tasks: row.tasks as number,
    grainTasks: row.grain_tasks as number,
    input: row.input as string | null,
  };
}

export function toExtent(row: Row, job: string): ExtentRecord {
  return {
    job,
    round: row.round as number,
    lo: row.lo as number,
    hi: row.hi as number,
    owner: row.owner as string,
    epoch: row.epoch as number,
  };
}
