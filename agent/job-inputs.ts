import type { JobDescription } from "../protocol/messages.ts";
import { type BlobPort, ComputeError } from "./ports.ts";

export interface Inputs {
  /** The payload as parsed JSON. */
  payload: unknown;
  /** What earlier rounds produced, or null. */
  input: Uint8Array | null;
}

const keptMax = 32;

/** Payloads and inputs of jobs, fetched once where they travel as blobs; and whether the job's kernels are what it pins. */
export class JobInputs {
  readonly #kept = new Map<string, Promise<Inputs>>();

  /** `token`: of the present session. */
  constructor(
    private readonly blobs: BlobPort,
    private readonly token: () => string | null,
  ) {}

  /** Rejects with ComputeError: `kernel_mismatch` or `payload_unavailable`. */
  of(job: JobDescription): Promise<Inputs> {
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

  async #load(job: JobDescription): Promise<Inputs> {
    await this.#checkKernel(job);
    try {
      const payload =
        "inline" in job.payload
          ? job.payload.inline
          : JSON.parse(new TextDecoder().decode(await this.blobs.blob(job.payload.blob, this.token())));
      return { payload, input: job.input === null ? null : await this.blobs.blob(job.input, this.token()) };
    } catch (error) {
      throw new ComputeError("payload_unavailable", error instanceof Error ? error.message : String(error));
    }
  }

  /** The job's kernel hash covers its whole kernel set, so that results are compared within one set only. */
  async #checkKernel(job: JobDescription): Promise<void> {
    const roles = Object.keys(job.files).sort();
    const sorted = Object.fromEntries(roles.map((role) => [role, fileOf(job, role)]));
    const found = await this.blobs.sha256Hex(new TextEncoder().encode(JSON.stringify(sorted)));
    if (found === job.kernel) return;
    throw new ComputeError("kernel_mismatch", `The job pins kernels ${job.kernel}, but its files are ${found}.`);
  }
}

function fileOf(job: JobDescription, role: string): { sha256: string | undefined; bytes: number | undefined } {
  return { sha256: job.files[role]?.sha256, bytes: job.files[role]?.bytes };
}
