import type { Capabilities } from "../../protocol/messages.ts";
import type { ComputeListener, ComputePort, GrainsAnswer, GrainsRequest } from "../ports.ts";
import type { VirtualClock } from "./clock.ts";
import { build, partialOf } from "./fixtures.ts";

/** Computes in virtual time. Throws when a slot is asked for two things at once. */
export class FakeCompute implements ComputePort {
  readonly requests: { slot: number; request: GrainsRequest }[] = [];
  readonly #busy = new Set<string>();
  /** How long an abort takes to be noticed. */
  abortMs = 0;
  /** Rejects the next request with this. */
  failure: Error | null = null;
  #listener: (capabilities: Capabilities, reason: string) => void = () => {};

  constructor(
    private readonly clock: VirtualClock,
    public grainMs: number,
  ) {}

  run(slot: number, request: GrainsRequest, signal: AbortSignal, on: ComputeListener): Promise<GrainsAnswer> {
    const key = `${request.backend}/${slot}`;
    if (this.#busy.has(key)) throw new Error(`${key} was asked for two things at once`);
    this.#busy.add(key);
    this.requests.push({ slot, request });
    const { failure } = this;
    this.failure = null;
    const grains = request.hi - request.lo;
    const computeMs = this.grainMs * grains;
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        this.#busy.delete(key);
        settle();
      };
      const half = this.clock.after(computeMs / 2, () => {
        on.fraction(0.5);
        if (request.checkpointMs !== null) on.saved(request.lo, Uint8Array.of(request.lo));
      });
      const done = this.clock.after(computeMs, () => {
        const partials = Array.from({ length: grains }, (_, index) => partialOf(request.lo + index));
        end(() => (failure ? reject(failure) : resolve({ partials, computeMs, build })));
      });
      signal.addEventListener("abort", () => {
        half();
        done();
        this.clock.after(this.abortMs, () => end(() => reject(new DOMException("aborted", "AbortError"))));
      });
    });
  }

  async calibrate(): Promise<{ workload: string; opsPerSecond: number }[]> {
    return [{ workload: "test", opsPerSecond: 1_000 / this.grainMs }];
  }

  onCapabilities(listener: (capabilities: Capabilities, reason: string) => void): void {
    this.#listener = listener;
  }

  change(capabilities: Capabilities, reason: string): void {
    this.#listener(capabilities, reason);
  }

  async close(): Promise<void> {}
}
