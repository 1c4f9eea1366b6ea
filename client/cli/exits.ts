/** How the program ends: part of its interface, printed by --help. */
import { GridProblem } from "../sdk/index.ts";

export const exits = {
  ok: 0,
  jobFailed: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
  notFinished: 5,
  jobCancelled: 6,
  defect: 70,
  interrupted: 130,
} as const;

export const exitTexts: readonly (readonly [code: number, meaning: string])[] = [
  [exits.ok, "done; for a job that was waited for: completed"],
  [exits.jobFailed, "the job failed"],
  [exits.usage, "the command or a value is wrong; nothing was asked"],
  [exits.unreachable, "no coordinator answers at the address"],
  [exits.refused, "the coordinator refused: the message names the field and the remedy"],
  [exits.notFinished, "the job is not finished (result --no-wait, --timeout)"],
  [exits.jobCancelled, "the job was cancelled"],
  [exits.defect, "a mistake of this program"],
  [exits.interrupted, "interrupted; jobs go on"],
];

/** A command that cannot be right. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  constructor(
    /** What of the command is wrong, as `--priority`. */
    readonly field: string,
    readonly detail: string,
    readonly remedy: string,
  ) {
    super(`${detail.includes(field) ? "" : `${field}: `}${detail} ${remedy}`);
  }
}

/** The wait was over before the job was. */
export class NotFinished extends Error {
  override readonly name = "NotFinished";
}

export function exitOf(error: unknown): number {
  if (error instanceof UsageError) return exits.usage;
  if (error instanceof NotFinished) return exits.notFinished;
  if (!(error instanceof GridProblem)) return exits.defect;
  if (error.code === "job_failed") return exits.jobFailed;
  if (error.code === "job_cancelled") return exits.jobCancelled;
  if (error.code === "job_not_finished") return exits.notFinished;
  if (error.code === "invalid_argument" || (error.status === 0 && error.code === "body_too_large")) return exits.usage;
  const elsewhere = ["bad_answer", "redirected"].includes(error.code) || /^http_(?:404|50[234])$/.test(error.code);
  return error.status === 0 || elsewhere ? exits.unreachable : exits.refused;
}

/** An error for `--json`. */
export function errorJson(error: unknown): Record<string, unknown> {
  const exit_code = exitOf(error);
  if (error instanceof GridProblem) return { ...error.toJSON(), exit_code };
  if (error instanceof UsageError) {
    return { code: "usage", field: error.field, detail: error.detail, remedy: error.remedy, exit_code };
  }
  const detail = error instanceof Error ? error.message : String(error);
  return { code: error instanceof NotFinished ? "not_finished" : "defect", detail, exit_code };
}
