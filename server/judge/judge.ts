/**
 * The judge: bounded worker threads that run workloads' host side. A job's work always goes to the same
 * thread, in order. A thread that dies fails the jobs it had, and is replaced.
 */
import type { Worker } from "node:worker_threads";
import type { JudgeRequest } from "../core/events.ts";
import { spawnThread } from "../thread.ts";
import type { JudgeAnswer, JudgeOpen, ToJudge } from "./messages.ts";

export interface JudgePort {
  /** `open` is called where the thread does not know the job's round yet. */
  request(request: JudgeRequest, open: () => JudgeOpen | null): void;
  close(): Promise<void>;
}

interface Thread {
  worker: Worker;
  /** Jobs it has rooms for, and the round that each room is open for. */
  jobs: Map<string, number>;
  outbox: ToJudge[];
}

export class JudgePool implements JudgePort {
  readonly #threads: Thread[] = [];
  readonly #places = new Map<string, Thread>();
  /** Jobs whose output or next round is being made. */
  readonly #finishing = new Set<string>();
  #closed = false;

  constructor(
    private readonly onAnswer: (answer: JudgeAnswer) => void,
    threads = 1,
  ) {
    for (let index = 0; index < threads; index++) this.#threads.push(this.#start());
  }

  request(request: JudgeRequest, open: () => JudgeOpen | null): void {
    const thread = this.#placeOf(request.job);
    if (request.type === "finish") this.#finishing.add(request.job);
    if (request.type === "forget") {
      this.#finishing.delete(request.job);
      this.#places.delete(request.job);
      if (thread.jobs.delete(request.job)) this.#post(thread, request);
      return;
    }
    const round = "round" in request ? request.round : thread.jobs.get(request.job);
    if (thread.jobs.get(request.job) !== round || round === undefined) {
      const opening = open();
      if (!opening) return;
      thread.jobs.set(request.job, opening.round);
      this.#post(thread, opening);
    }
    this.#post(thread, request);
  }

  /** Jobs whose output, or next round, is being made now. */
  get finishing(): number {
    return this.#finishing.size;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#threads.map((thread) => thread.worker.terminate()));
  }

  #placeOf(job: string): Thread {
    let thread = this.#places.get(job);
    if (!thread) {
      thread = this.#threads.reduce((least, other) => (other.jobs.size < least.jobs.size ? other : least));
      this.#places.set(job, thread);
    }
    return thread;
  }

  /** One message for all that a turn asks of a thread. */
  #post(thread: Thread, item: ToJudge): void {
    thread.outbox.push(item);
    if (thread.outbox.length > 1) return;
    queueMicrotask(() => {
      const batch = thread.outbox;
      thread.outbox = [];
      thread.worker.postMessage(batch);
    });
  }

  #start(): Thread {
    const worker = spawnThread(new URL("./thread.ts", import.meta.url), null);
    const thread: Thread = { worker, jobs: new Map(), outbox: [] };
    worker.on("message", (answers: JudgeAnswer[]) => {
      for (const answer of answers) this.#onAnswer(answer);
    });
    worker.on("error", () => {});
    worker.on("exit", (code) => this.#onExit(thread, code));
    worker.unref();
    return thread;
  }

  #onExit(thread: Thread, code: number): void {
    if (this.#closed) return;
    this.#threads[this.#threads.indexOf(thread)] = this.#start();
    for (const job of thread.jobs.keys()) {
      this.#places.delete(job);
      this.#onAnswer({ type: "judge.failed", job, message: `The judge thread ended with code ${code}.` });
    }
  }

  #onAnswer(answer: JudgeAnswer): void {
    if (answer.type === "finished" || answer.type === "next" || answer.type === "judge.failed") {
      this.#finishing.delete(answer.job);
    }
    this.onAnswer(answer);
  }
}
