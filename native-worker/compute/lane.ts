/** One thread or child that computes, whatever it is: sends requests, hears answers, and is replaced when it does not stop. */
import type { ComputeListener, GrainsAnswer } from "../../agent/ports.ts";
import { ComputeError } from "../../agent/ports.ts";
import { abortError, messageOf } from "../../kernels/run/errors.ts";
import type { GpuFacts } from "../../kernels/run/gpu-device.ts";
import type { GrainRun } from "../../kernels/run/grains.ts";
import { silenceMessage, silenceMsMax } from "../../kernels/run/silence.ts";
import type { FailReason } from "../../protocol/messages.ts";
import type { FromCompute, KernelRole, ToCompute } from "./messages.ts";

/** A started thread or process. */
export interface Endpoint {
  post(message: ToCompute): void;
  kill(): void;
}

export interface LaneOptions {
  start(on: { message(message: FromCompute): void; gone(why: string): void }): Endpoint;
  /** Kernel files for the lane. */
  file(sha256: string, role: KernelRole): Promise<Uint8Array>;
  /** Why what ran fails when it dies. */
  lostReason: FailReason;
  /** It died while nobody asked it to, or had to be killed because it did not stop. */
  onLost(why: string): void;
  onReady?(gpu: GpuFacts | null, message: string): void;
}

interface Waiting {
  resolve(answer: GrainsAnswer): void;
  reject(error: Error): void;
  on: ComputeListener;
}

/** What does not stop within this time of an abort is killed. */
const abortMsMax = 500;

export class Lane {
  #endpoint: Endpoint | null = null;
  #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #generation = 0;
  #closed = false;

  constructor(private readonly options: LaneOptions) {}

  /** Rejects with ComputeError, or an error named AbortError soon after the signal. */
  run(run: GrainRun, signal: AbortSignal, on: ComputeListener): Promise<GrainsAnswer> {
    return new Promise((resolve, reject) => {
      if (signal.aborted || this.#closed) {
        reject(abortError());
        return;
      }
      this.start();
      const id = this.#nextId++;
      const silence = this.#watch(id, run);
      this.#waiting.set(id, {
        resolve: (answer) => {
          silence.end();
          resolve(answer);
        },
        reject: (error) => {
          silence.end();
          reject(error);
        },
        on: {
          fraction: (fraction) => {
            silence.heard();
            on.fraction(fraction);
          },
          saved: (grain, bytes) => on.saved(grain, bytes),
        },
      });
      this.#endpoint?.post({ type: "run", id, run });
      signal.addEventListener("abort", () => this.#abort(id, silenceMsMax(run) !== null), { once: true });
    });
  }

  /** Ends the thread when a researcher's own code does not come back. */
  #watch(id: number, run: GrainRun): { heard(): void; end(): void } {
    const ms = silenceMsMax(run);
    let timer: NodeJS.Timeout | undefined;
    const heard = (): void => {
      clearTimeout(timer);
      if (ms === null) return;
      timer = setTimeout(() => {
        this.#take(id)?.reject(new ComputeError("timeout", silenceMessage(ms)));
        this.#replace(new ComputeError(this.options.lostReason, silenceMessage(ms)));
      }, ms);
      timer.unref();
    };
    heard();
    return { heard, end: () => clearTimeout(timer) };
  }

  /** Starts the thread or child before there is work. */
  start(): void {
    if (this.#endpoint || this.#closed) return;
    const generation = ++this.#generation;
    this.#endpoint = this.options.start({
      message: (message) => {
        if (generation === this.#generation) this.#onMessage(message);
      },
      gone: (why) => {
        if (generation === this.#generation) this.#onGone(why);
      },
    });
  }

  close(): void {
    this.#closed = true;
    this.#replace(abortError());
  }

  /** `isForeign`: a researcher's own code, whose slowness to stop says nothing of the device. */
  #abort(id: number, isForeign: boolean): void {
    if (!this.#waiting.has(id)) return;
    this.#endpoint?.post({ type: "abort", id });
    setTimeout(() => {
      if (!this.#waiting.has(id) || this.#closed) return;
      this.#take(id)?.reject(abortError());
      const why = `It did not stop within ${abortMsMax} ms and was killed.`;
      this.#replace(new ComputeError(this.options.lostReason, why));
      if (!isForeign) this.options.onLost(why);
    }, abortMsMax).unref();
  }

  #onMessage(message: FromCompute): void {
    switch (message.type) {
      case "ready":
        this.options.onReady?.(message.gpu, message.message);
        return;
      case "need":
        void this.#bring(message.sha256, message.role);
        return;
      case "fraction":
        this.#waiting.get(message.id)?.on.fraction(message.fraction);
        return;
      case "saved":
        this.#waiting.get(message.id)?.on.saved(message.grain, message.bytes);
        return;
      case "done":
        this.#take(message.id)?.resolve({
          partials: message.partials,
          computeMs: message.computeMs,
          build: message.build,
        });
        return;
      case "failed": {
        const error =
          message.reason === "aborted"
            ? abortError()
            : new ComputeError(message.reason, message.message, message.grain);
        this.#take(message.id)?.reject(error);
        return;
      }
    }
  }

  async #bring(sha256: string, role: KernelRole): Promise<void> {
    try {
      const bytes = await this.options.file(sha256, role);
      this.#endpoint?.post({ type: "file", sha256, bytes, message: "" });
    } catch (error) {
      this.#endpoint?.post({ type: "file", sha256, bytes: null, message: messageOf(error) });
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #onGone(why: string): void {
    this.#endpoint = null;
    this.#generation++;
    this.#rejectAll(new ComputeError(this.options.lostReason, why));
    if (!this.#closed) this.options.onLost(why);
  }

  #replace(error: Error): void {
    this.#generation++;
    this.#endpoint?.kill();
    this.#endpoint = null;
    this.#rejectAll(error);
  }

  #rejectAll(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const { reject } of waiting.values()) reject(error);
  }
}
