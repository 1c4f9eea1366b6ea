/** REST bodies of the ledger: receipts of jobs, and volunteers' credit. Hashes, keys and signatures are in hex. */
import * as z from "zod";
import { backendSchema } from "./messages.ts";

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));

/** Grains that one result stands for, and what its node signed. One leaf of the receipt's Merkle tree. */
export const receiptRangeSchema = z
  .object({
    round: z.number(),
    lo: z.number(),
    hi: z.number(),
    result: z.number(),
    standing: z.string(),
    verdict: z.literal("accept"),
    /** Why it counts: own_node, certificate, audit, ... */
    reason: z.string(),
    /** Grains of this result that were computed elsewhere as well, and what came of it. */
    audits: z.array(
      z.object({
        kind: z.enum(["audit", "replica", "checkpoint"]),
        lo: z.number(),
        hi: z.number(),
        node_id: z.string(),
        own: z.boolean(),
        verdict: z.enum(["agrees", "differs", "resumed"]),
        reason: z.string(),
      }),
    ),
    node_id: z.string(),
    public_key: z.string(),
    own: z.boolean(),
    /** What the node's signature is over, beside job, round and kernel: see docs/receipts.md. */
    signed: z.object({
      lease: z.string(),
      lo: z.number(),
      hi: z.number(),
      backend: backendSchema,
      build: z.string(),
      root: z.string(),
      signature: z.string(),
    }),
  })
  .meta({ id: "ReceiptRange" });
export type ReceiptRange = z.infer<typeof receiptRangeSchema>;

/** What the coordinator signs, as canonical JSON (RFC 8785). */
export const receiptStatementSchema = z
  .object({
    type: z.literal("queztl.receipt.v1"),
    coordinator: z.object({ node_id: z.string(), public_key: hex(32) }),
    sequence: z.number(),
    /** Hash of the receipt before this one; null for the first. */
    previous: hex(32).nullable(),
    issued_at: z.string(),
    /** False while results may still be taken back. */
    final: z.boolean(),
    job: z.object({
      task_id: z.string(),
      workload_type: z.string(),
      payload_sha256: hex(32),
      kernel: z.string(),
      files: z.record(z.string(), z.object({ sha256: z.string(), bytes: z.number() })),
      submitted_at: z.string(),
      finished_at: z.string().nullable(),
      revision: z.number(),
      /** Of the output as JSON; null where the partials are the output. */
      output_sha256: hex(32).nullable(),
    }),
    rounds: z.array(
      z.object({
        round: z.number(),
        tasks: z.number(),
        grain_tasks: z.number(),
        grains: z.number(),
        /** Fewer than `grains` where the workload had enough before the end. */
        grains_covered: z.number(),
        input_sha256: hex(32).nullable(),
      }),
    ),
    ranges: z.object({ count: z.number(), root: hex(32) }),
    verification: z.object({
      words: z.array(z.string()),
      /** Grains by the reason why they count, over all rounds. */
      grains_by_reason: z.record(z.string(), z.number()),
      grains_by_own_nodes: z.number(),
      /** As the job's own page says it: counts, and compute spent over compute accepted. */
      job: z.record(z.string(), z.unknown()),
    }),
  })
  .meta({ id: "ReceiptStatement" });
export type ReceiptStatement = z.infer<typeof receiptStatementSchema>;

export const receiptSchema = z
  .object({
    statement: receiptStatementSchema,
    /** SHA-256 of the canonical statement. */
    hash: hex(32),
    /** Ed25519 over `queztl.receipt.v1\n` and the canonical statement. */
    signature: hex(64),
    ranges: z.array(
      z.object({
        index: z.number(),
        range: receiptRangeSchema,
        /** Inclusion proof (RFC 6962), from the leaf up; left out in long receipts, whose root is over all ranges. */
        proof: z.array(hex(32)).optional(),
      }),
    ),
  })
  .meta({ id: "Receipt" });
export type Receipt = z.infer<typeof receiptSchema>;

/** One grain as its node answered it, with the proof that the answer is under the root that the node signed. */
export const grainProofSchema = z
  .object({
    type: z.literal("queztl.grain.v1"),
    task_id: z.string(),
    kernel: z.string(),
    round: z.number(),
    grain: z.number(),
    result: z.number(),
    node_id: z.string(),
    public_key: z.string(),
    signed: receiptRangeSchema.shape.signed,
    /** The grain's partial, as its bytes are. */
    partial: z.string(),
    /** Inclusion proof (RFC 6962) of leaf `grain - signed.lo` among `signed.hi - signed.lo`, from the leaf up. */
    proof: z.array(hex(32)),
  })
  .meta({ id: "GrainProof" });
export type GrainProof = z.infer<typeof grainProofSchema>;

export const grainQuerySchema = z.object({ round: z.coerce.number().int().min(0).default(0) });

export const receiptQuerySchema = z.object({
  /** Only the range that holds this grain, with its proof. */
  grain: z.coerce.number().int().min(0).optional(),
  round: z.coerce.number().int().min(0).default(0),
});

export const receiptKeySchema = z
  .object({
    coordinator: z.string(),
    algorithm: z.literal("Ed25519"),
    public_key: hex(32),
    /** The newest receipt. */
    head: z.object({ sequence: z.number(), hash: hex(32) }).nullable(),
  })
  .meta({ id: "ReceiptKey" });

export const receiptChainQuerySchema = z.object({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
export const receiptChainSchema = z
  .object({
    receipts: z.array(
      z.object({
        sequence: z.number(),
        hash: hex(32),
        previous: hex(32).nullable(),
        issued_at: z.string(),
      }),
    ),
  })
  .meta({ id: "ReceiptChain" });

const coreSeconds = z
  .number()
  .meta({ description: "Seconds of one plain WASM core, by the workloads' declared costs." });

export const volunteerSchema = z
  .object({
    /** The identity: the first 16 hex digits of its public key's SHA-256. */
    volunteer_id: z.string(),
    name: z.string().nullable(),
    team: z.string().nullable(),
    core_seconds: coreSeconds,
    /** From 1; null where nothing counts yet. */
    rank: z.number().nullable(),
    postings: z.number(),
  })
  .meta({ id: "Volunteer" });
export type VolunteerView = z.infer<typeof volunteerSchema>;

export const teamSchema = z
  .object({ team: z.string(), volunteers: z.number(), core_seconds: coreSeconds })
  .meta({ id: "Team" });
export type TeamView = z.infer<typeof teamSchema>;

const paydays = {
  /** Work counts at paydays, some time after it was done; what is shown is as of the last one. */
  as_of: z.string(),
  next_payday: z.string(),
};
export const leaderboardSchema = z
  .object({ ...paydays, volunteers: z.array(volunteerSchema), teams: z.array(teamSchema) })
  .meta({ id: "Leaderboard" });
export type Leaderboard = z.infer<typeof leaderboardSchema>;
export const leaderboardQuerySchema = z.object({ limit: z.coerce.number().int().min(1).max(1_000).default(100) });

/** What a volunteer's own page shows. */
export const volunteerPageSchema = volunteerSchema.extend(paydays).meta({ id: "VolunteerPage" });
export type VolunteerPage = z.infer<typeof volunteerPageSchema>;

export const postingSchema = z
  .object({
    work: z.number(),
    kind: z.enum(["grant", "retract"]),
    task_id: z.string(),
    core_seconds: z.number(),
    /** When it began to count. */
    counted_at: z.string(),
  })
  .meta({ id: "Posting" });
export const postingsSchema = z
  .object({ volunteer_id: z.string(), postings: z.array(postingSchema) })
  .meta({ id: "Postings" });
export type Postings = z.infer<typeof postingsSchema>;
export const postingsQuerySchema = z.object({
  format: z.enum(["json", "csv"]).default("json"),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
});

/** What an identity says of itself; it signs this text. */
export const volunteerStatementSchema = z.discriminatedUnion("action", [
  z.strictObject({
    action: z.literal("profile"),
    volunteer: z.string(),
    team: z.string().trim().min(1).max(60).nullable(),
    /** Submitter id whose jobs are this volunteer's own: they earn it nothing. */
    submitter: z.string().min(1).max(64).nullable(),
    issued_at: z.iso.datetime(),
  }),
  z.strictObject({ action: z.literal("erase"), volunteer: z.string(), issued_at: z.iso.datetime() }),
]);
export type VolunteerStatement = z.infer<typeof volunteerStatementSchema>;

export const statementBodySchema = z
  .strictObject({
    /** JSON text as VolunteerStatement says; signed as it stands. */
    statement: z.string().max(2_000),
    public_key: hex(32),
    /** Ed25519 over `queztl.volunteer.v1\n` and the statement. */
    signature: hex(64),
  })
  .meta({ id: "VolunteerStatementBody" });
export type StatementBody = z.infer<typeof statementBodySchema>;
