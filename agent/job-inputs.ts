import type { JobDescription } from "../protocol/messages.ts";
import { type BlobPort, ComputeError } from "./ports.ts";

const keptMax = 32;

/** Payloads and inputs of jobs, fetched once where they travel as blobs. */
export class JobInputs {
  readonly #kept = new Map<string, Promise<{ payload: unknown; input: Uint8Array | null }>>();

  constructor(private readonly blobs: BlobPort) {}

  /** Rejects with ComputeError("payload_unavailable"). */
  of(job: JobDescription): Promise<{ payload: unknown; input: Uint8Array | null }> {
    const key = `${job.job}/${job.round}`;
    let given = this.#kept.get(key);
    if (!given) {
      given = this.#load(job);
      this.#kept.set(key, given);
      // A failed fetch is tried again with the next grain.
      given.catch(() => this.#kept.delete(key));
      if (this.#kept.size > keptMax) this.#kept.delete(this.#kept.keys().next().value as string);
    }
    return given;
  }

  async #load(job: JobDescription): Promise<{ payload: unknown; input: Uint8Array | null }> {
    try {
      const payload =
        "inline" in job.payload
          ? job.payload.inline
          : JSON.parse(new TextDecoder().decode(await this.blobs.blob(job.payload.blob)));
      return { payload, input: job.input === null ? null : await this.blobs.blob(job.input) };
    } catch (error) {
      throw new ComputeError("payload_unavailable", error instanceof Error ? error.message : String(error));
    }
  }
}
