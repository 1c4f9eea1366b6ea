import type { FailReason } from "../../protocol/messages.ts";

/** A grain that could not be computed, with the reason that the wire knows. */
export class KernelError extends Error {
  override name = "KernelError";
  constructor(
    readonly reason: FailReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What a run rejects with after its signal was aborted, whatever the signal's own reason is. */
export const abortError = (): Error => new DOMException("The grain was abandoned.", "AbortError");

/** The text of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
