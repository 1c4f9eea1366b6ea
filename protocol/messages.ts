/**
 * Every message that crosses the WebSocket between a node and the coordinator: one
 * discriminated union for each direction. `docs/protocol.md` shows an example of each.
 *
 * A frame is a msgpack array of messages, so a tick's acknowledgements and leases
 * share one frame. Only `codec.ts` parses frames.
 */
import * as z from "zod";
import { limits } from "./limits.ts";
import { regionIds } from "./regions.ts";

export const backends = ["wasm", "webgpu", "native"] as const;
export const backendSchema = z.enum(backends);
/** How a kernel runs on a node. */
export type Backend = z.infer<typeof backendSchema>;

const id = z.string().min(1).max(64);
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const grain = z.number().int().min(0).max(limits.jobGrainsMax);
const text = z.string().max(500);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = (max: number) =>
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= max, `bytes, at most ${max}`);
const slots = z.object({
  wasm: z.number().int().min(0).max(limits.nodeSlotsMax),
  webgpu: z.number().int().min(0).max(limits.nodeSlotsMax),
  native: z.number().int().min(0).max(limits.nodeSlotsMax),
});
/** How many leases a node computes at the same time, for each backend. */
export type Slots = z.infer<typeof slots>;

/** What a machine is. What it does not tell is `null`: unknown, never guessed. */
export const capabilitiesSchema = z.object({
  kind: z.enum(["tab", "native"]),
  software: text,
  platform: text.nullable(),
  cpu: z.object({ model: text.nullable(), cores: z.number().int().min(1).max(4096) }),
  ramBytes: count.nullable(),
  /** Memory that one kernel may have, where the node sets a limit: pages do, since browsers end tabs that take too much. */
  kernelBytesMax: count.nullable().optional(),
  wasm: z.object({ simd: z.boolean(), threads: z.boolean() }).nullable(),
  gpu: z
    .object({
      name: text,
      vendor: text,
      architecture: text,
      /** A software adapter counts as no GPU outside tests. */
      software: z.boolean(),
      vramBytes: count.nullable(),
      /** A hash of what a probe shader computes: devices of one class may be expected to give the same bits. */
      determinismClass: text.nullable().optional(),
      features: z.array(text).max(64),
      limits: z.record(text, z.number()).refine((value) => Object.keys(value).length <= 64),
    })
    .nullable(),
  /** Accelerators found beside the GPU, as "apple-ane" or "coral-usb"; engines installed, as "ffmpeg". */
  accelerators: z.array(text).max(16),
  engines: z.array(text).max(32),
});
export type Capabilities = z.infer<typeof capabilitiesSchema>;

/** What the machine's owner allows. */
export const preferencesSchema = z.object({
  slots,
  /** Families of workloads that the owner switched on. */
  families: z.array(id).max(64),
  /** Shown on the dashboard; chosen by the volunteer. */
  name: z.string().max(60).nullable(),
  /** Where the machine is, by its clock or as its owner says; null where that is not told. */
  region: z.enum(regionIds).nullable().optional().catch(null),
});
export type Preferences = z.infer<typeof preferencesSchema>;

/** A lease that a node still works on, as it says after a reconnect. */
export const heldLeaseSchema = z.object({
  lease: id,
  ticket: id,
  job: id,
  round: count,
  lo: grain,
  hi: grain,
  backend: backendSchema,
  /** First grain not yet returned in a result. */
  next: grain,
});
export type HeldLease = z.infer<typeof heldLeaseSchema>;

const failReasons = [
  "device_lost",
  "out_of_memory",
  "kernel_trap",
  "kernel_mismatch",
  "kernel_unavailable",
  "payload_unavailable",
  "invalid_params",
  "timeout",
  "internal",
] as const;
export const failReasonSchema = z.enum(failReasons);
export type FailReason = z.infer<typeof failReasonSchema>;

const releaseReasons = ["stopped", "closing", "hidden", "preferences", "draining", "slot_lost"] as const;
export const releaseReasonSchema = z.enum(releaseReasons);
export type ReleaseReason = z.infer<typeof releaseReasonSchema>;

export const helloSchema = z.object({
  type: z.literal("hello"),
  protocol: z.object({ version: z.number().int(), minimum: z.number().int() }),
  /** Raw Ed25519 public key, 32 bytes: the node's identity. */
  publicKey: bytes(32),
  /** Ed25519 signature over `helloBytes(nonce, session)` (sign.ts). */
  signature: bytes(64),
  /** Chosen at random by each tab or process: an identity may have several over time. */
  session: id,
  /** The operator's join token makes the node an *own* node. */
  joinToken: z.string().max(200).nullable(),
  capabilities: capabilitiesSchema,
  preferences: preferencesSchema,
  holding: z.array(heldLeaseSchema).max(limits.nodeLeasesMax),
});
export type Hello = z.infer<typeof helloSchema>;

/** A hundred days: more than any result says. */
export const computeMsMax = 1e10;

export const resultSchema = z.object({
  type: z.literal("result"),
  /** Counts up within the session; the acknowledgement names it. */
  seq: count,
  lease: id,
  ticket: id,
  job: id,
  round: count,
  /** The lease's own range: with it the ticket can be checked after a restart. */
  leaseLo: grain,
  leaseHi: grain,
  /** The contiguous run of finished grains that this result covers. */
  lo: grain,
  hi: grain,
  backend: backendSchema,
  /** Hash of the kernel set that the job pins, and of the one file that ran. */
  kernel: sha256,
  build: sha256,
  /** Partials of grains lo..hi, packed (partials.ts). */
  partials: bytes(limits.nodeFrameBytesMax),
  /** Time that one slot spent computing these grains, in milliseconds. */
  computeMs: z.number().min(0).max(computeMsMax),
  /** Root of the Merkle tree over the grains' partials (merkle.ts), 32 bytes; empty only where `sign` is false. */
  root: bytes(32),
  /** Ed25519 over `resultBytes(...)` (sign.ts); empty only where the coordinator said `sign: false`. */
  signature: bytes(64),
});
export type ResultMessage = z.infer<typeof resultSchema>;

export const nodeMessageSchema = z.discriminatedUnion("type", [
  helloSchema,
  resultSchema,
  /** Sent every `heartbeatMs`, leases or not: proof of life and of progress. */
  z.object({
    type: z.literal("progress"),
    leases: z.array(z.object({ lease: id, done: grain, fraction: z.number().min(0).max(1) })).max(limits.nodeLeasesMax),
  }),
  /** Where a long grain stands, so that another node can go on from there. */
  z.object({ type: z.literal("checkpoint"), lease: id, grain, bytes: bytes(limits.checkpointBytesMax) }),
  /** The node will not compute the rest of this lease; the rest is cut again. */
  z.object({ type: z.literal("release"), lease: id, reason: releaseReasonSchema }),
  /** A grain could not be computed; the lease ends here. */
  z.object({ type: z.literal("fail"), lease: id, grain, reason: failReasonSchema, message: text }),
  /** The owner changed what may run. */
  z.object({ type: z.literal("preferences"), preferences: preferencesSchema }),
  /** Capabilities changed: a GPU was lost, or came back. */
  z.object({ type: z.literal("capabilities"), capabilities: capabilitiesSchema, reason: text }),
  /** Operations per second that one slot reached in a short calibration run. */
  z.object({
    type: z.literal("calibration"),
    speeds: z
      .array(z.object({ workload: id, backend: backendSchema, opsPerSecond: z.number().positive().max(1e18) }))
      .max(64),
  }),
  /** Last words: nothing is held any more. */
  z.object({ type: z.literal("bye"), reason: text }),
]);
export type NodeMessage = z.infer<typeof nodeMessageSchema>;

export const kernelFilesSchema = z.record(z.string().max(20), z.object({ sha256, bytes: count }));
/** Kernel files of one workload, by role: "wasm-simd", "wasm-scalar", "wgsl". Each is served at `/k/<sha256>.<ext>`. */
export type KernelFiles = z.infer<typeof kernelFilesSchema>;

export const jobDescriptionSchema = z.object({
  type: z.literal("job"),
  job: id,
  round: count,
  workload: id,
  /** Hash of the kernel set; `sha256(JSON.stringify(files sorted by role))`. */
  kernel: sha256,
  files: kernelFilesSchema,
  /** The payload as JSON, or the SHA-256 of a blob that holds that JSON. */
  payload: z.union([z.object({ inline: z.unknown() }), z.object({ blob: sha256 })]),
  /** What earlier rounds produced for this one, as a blob; `null` in the first round. */
  input: sha256.nullable(),
  tasks: count,
  grainTasks: count,
});
export type JobDescription = z.infer<typeof jobDescriptionSchema>;

export const leaseMessageSchema = z.object({
  type: z.literal("lease"),
  lease: id,
  /** Proves, after a restart too, that the coordinator issued this lease. */
  ticket: id,
  job: id,
  round: count,
  lo: grain,
  hi: grain,
  backend: backendSchema,
  /** Time from receipt until the lease is given to another node unless progress arrives. */
  deadlineMs: count,
  /** This slice's own part of the payload, where the workload cuts payloads; else absent. */
  inputs: bytes(limits.coordinatorFrameBytesMax).optional(),
  /** What was saved of the first grain, which goes on from there. */
  checkpoint: bytes(limits.checkpointBytesMax).optional(),
});
export type LeaseMessage = z.infer<typeof leaseMessageSchema>;

const refuseCodes = [
  "upgrade_node",
  "upgrade_coordinator",
  "bad_signature",
  "bad_join_token",
  "bad_message",
  "already_here",
  "banned",
  "too_many_connections",
  "too_many_identities",
  "shutting_down",
  "hello_timeout",
  "slow_reader",
  "silent",
] as const;
export const refuseCodeSchema = z.enum(refuseCodes);
export type RefuseCode = z.infer<typeof refuseCodeSchema>;

export const coordinatorMessageSchema = z.discriminatedUnion("type", [
  /** First message on every connection. */
  z.object({
    type: z.literal("challenge"),
    protocol: z.object({ version: z.number().int(), minimum: z.number().int() }),
    nonce: bytes(32),
    coordinator: id,
  }),
  /** The hello was accepted. */
  z.object({
    type: z.literal("welcome"),
    node: id,
    own: z.boolean(),
    heartbeatMs: count,
    /** Finished grains must leave the node at least this often. */
    flushMs: count,
    /** How often what a long task has come to is to be saved, where its kernel can; never where it is absent. */
    checkpointMs: count.optional(),
    /** Whether results must be signed. */
    sign: z.boolean(),
    /** Held leases that go on; every other one in `holding` is to be dropped. */
    resumed: z.array(id).max(limits.nodeLeasesMax),
    /** Proves to `POST /api/v1.2/node/departure` that this session has ended, from wherever that is still said. */
    release: z.string().min(1).max(limits.releaseTokenMax).optional(),
  }),
  /** The connection ends here. `retryMs` is `null` when coming back is pointless. */
  z.object({
    type: z.literal("refuse"),
    code: refuseCodeSchema,
    message: text,
    remedy: text,
    retryMs: count.nullable(),
  }),
  jobDescriptionSchema,
  leaseMessageSchema,
  /** These results are committed: the node may forget them. `rejected` says why a result did not count. */
  z.object({
    type: z.literal("ack"),
    seqs: z.array(count).max(limits.unacknowledgedResultsMax),
    rejected: z.array(z.object({ seq: count, reason: text })).max(limits.unacknowledgedResultsMax),
  }),
  /** Stop computing this lease; finished grains may still be sent. */
  z.object({ type: z.literal("revoke"), lease: id, reason: text }),
  /** The job ended: its description, kernels and leases may be forgotten. */
  z.object({ type: z.literal("forget"), job: id }),
  /** Why the node has nothing to do, in words for its owner. */
  z.object({
    type: z.literal("idle"),
    reasons: z.array(z.object({ code: id, message: text })).max(16),
  }),
  /** What the node's accepted work amounts to, for its page. */
  z.object({
    type: z.literal("standing"),
    accepted: count,
    rejected: count,
    coreSeconds: z.number().min(0),
  }),
]);
export type CoordinatorMessage = z.infer<typeof coordinatorMessageSchema>;
