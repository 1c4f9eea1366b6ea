/**
 * How results are believed, as data: what a workload declares, and what a submitter may make of it.
 *
 * An identity that lies in a share s of its grains and of which a grains are audited stays undetected with
 * (1-s)^a, so the share of its work that is wrong and stays is at most max s(1-s)^a < 1/(e(a+1))
 * (Sarmenta, "Sabotage-tolerance mechanisms for volunteer computing systems", CCGrid 2001).
 */

/** A figure with what submitters may set it to. */
export interface Bounded {
  default: number;
  min: number;
  max: number;
}

export interface BeliefPlan {
  /** What results are held against, for people and receipts; combinable, cheapest first. */
  methods: readonly ("certificate" | "exact" | "tolerance" | "statistical")[];
  /** Share of trusted nodes' results that own nodes audit; newcomers' are audited all. */
  audit: Bounded;
  /** Identities, each of a network of its own, that compute every grain. */
  redundancy: Bounded;
}

export const defaultPlan: BeliefPlan = {
  methods: ["exact"],
  audit: { default: 0.1, min: 0.05, max: 1 },
  redundancy: { default: 1, min: 1, max: 3 },
};

/** What a submitter asks for; what it leaves out is the workload's default. */
export interface VerificationRequest {
  audit?: number | undefined;
  redundancy?: number | undefined;
  /** Bound on the share of the job's grains that is wrong in expectation. */
  job_error?: number | undefined;
  /** The job completes although some of its results are provisional. */
  early_results?: boolean | undefined;
}

/** How the results of one job are believed. */
export interface Verification {
  audit: number;
  /** Grains recomputed of an audited result, and at the job's end of all that rests on one node's word. */
  auditGrains: number;
  closingGrains: number;
  redundancy: number;
  jobError: number | null;
  early: boolean;
}

/** A share of one in five of the volunteers is reckoned to lie: f/(1-f) of what the honest ones compute. */
const liarsPerHonest = 0.25;

export const errorBounds = { min: 1e-5, max: 0.1 };

/** Grains of one identity to audit so that at most `error` of what is accepted is wrong, whatever it lies in. */
export const grainsForError = (error: number): number => Math.ceil(liarsPerHonest / (Math.E * error)) - 1;

/** The bound that so many audited grains of an identity give. */
export const errorOfGrains = (grains: number): number => liarsPerHonest / (Math.E * (grains + 1));

export interface VerificationFault {
  /** Within the request. */
  field: keyof VerificationRequest;
  message: string;
  remedy: string;
}

/** A job's verification, or what is wrong with what was asked for. */
export function resolveVerification(
  plan: BeliefPlan,
  request: VerificationRequest = {},
): { verification: Verification } | { fault: VerificationFault } {
  for (const field of ["audit", "redundancy"] as const) {
    const asked = request[field];
    const { min, max } = plan[field];
    if (asked !== undefined && (asked < min || asked > max)) return { fault: outside(field, asked, min, max) };
  }
  const error = request.job_error ?? null;
  if (error !== null && (error < errorBounds.min || error > errorBounds.max)) {
    return { fault: outside("job_error", error, errorBounds.min, errorBounds.max) };
  }
  const audit = request.audit ?? plan.audit.default;
  const auditGrains = Math.max(1, Math.ceil(32 * audit));
  return {
    verification: {
      audit,
      auditGrains,
      closingGrains: error === null ? 4 * auditGrains : grainsForError(error),
      redundancy: request.redundancy ?? plan.redundancy.default,
      jobError: error,
      early: request.early_results ?? false,
    },
  };
}

const outside = (field: VerificationFault["field"], asked: number, min: number, max: number): VerificationFault => ({
  field,
  message: `${asked} is outside what this workload allows: ${min} to ${max}.`,
  remedy: `Ask for ${min} to ${max}, or leave it out.`,
});
