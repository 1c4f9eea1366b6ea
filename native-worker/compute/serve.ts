/** What a compute thread and the GPU child have in common: requests come in, answers and wishes for files go out. */
import { KernelError, messageOf } from "../../kernels/run/errors.ts";
import { GrainError, type GrainRun, type GrainRunAnswer, type SavedGrain } from "../../kernels/run/grains.ts";
import type { FailReason } from "../../protocol/messages.ts";
import type { FromCompute, KernelRole, ToCompute } from "./messages.ts";

export type Run = (
  run: GrainRun,
  signal: AbortSignal,
  onFraction: (fraction: number) => void,
  onSaved: (saved: SavedGrain) => void,
) => Promise<GrainRunAnswer>;

export class Serving {
  readonly files: FileRequests;
  readonly #aborts = new Map<number, AbortController>();

  constructor(
    private readonly post: (message: FromCompute) => void,
    role: KernelRole,
  ) {
    this.files = new FileRequests(post, role);
  }

  take(message: ToCompute, run: Run): void {
    if (message.type === "file") this.files.arrived(message);
    else if (message.type === "abort") this.#aborts.get(message.id)?.abort();
    else void this.#run(message.id, message.run, run);
  }

  async #run(id: number, grains: GrainRun, run: Run): Promise<void> {
    const abort = new AbortController();
    this.#aborts.set(id, abort);
    try {
      const answer = await run(
        grains,
        abort.signal,
        (fraction) => this.post({ type: "fraction", id, fraction }),
        (saved) => this.post({ type: "saved", id, ...saved }),
      );
      this.post({ type: "done", id, ...answer });
    } catch (error) {
      this.post({ type: "failed", id, ...failureOf(error) });
    } finally {
      this.#aborts.delete(id);
    }
  }
}

export function failureOf(error: unknown): { reason: FailReason | "aborted"; message: string; grain: number | null } {
  if (error instanceof Error && error.name === "AbortError")
    return { reason: "aborted", message: error.message, grain: null };
  const grain = error instanceof GrainError ? error.grain : null;
  const cause = error instanceof GrainError ? error.cause : error;
  return { reason: cause instanceof KernelError ? cause.reason : "internal", message: messageOf(cause), grain };
}

interface Waiting {
  resolve(bytes: Uint8Array): void;
  reject(error: Error): void;
}

/** Kernel files, asked of the parent once each. */
export class FileRequests {
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(
    private readonly post: (message: FromCompute) => void,
    private readonly role: KernelRole,
  ) {}

  get(sha256: string): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(sha256);
      if (waiting) waiting.push({ resolve, reject });
      else {
        this.#waiting.set(sha256, [{ resolve, reject }]);
        this.post({ type: "need", sha256, role: this.role });
      }
    });
  }

  arrived({ sha256, bytes, message }: Extract<ToCompute, { type: "file" }>): void {
    for (const waiting of this.#waiting.get(sha256) ?? []) {
      if (bytes) waiting.resolve(bytes);
      else waiting.reject(new KernelError("kernel_unavailable", message));
    }
    this.#waiting.delete(sha256);
  }
}
