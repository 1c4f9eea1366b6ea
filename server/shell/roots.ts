/**
 * Checks that a result's Merkle root is its partials'. Short results are hashed at once; longer ones in a thread, so
 * that a slice of a thousand grains does not hold up every other node's messages.
 */
import { hash } from "node:crypto";
import type { Worker } from "node:worker_threads";
import { hashBytes, resultRootInto } from "../../protocol/merkle.ts";
import type { ResultMessage } from "../../protocol/messages.ts";
import { spawnThread } from "../thread.ts";

/** A result: its first grain, packed partials, and the root that it claims. */
type Claim = Pick<ResultMessage, "lo" | "hi" | "partials" | "root">;

/** Up to here, hashing costs the event loop no more than a message to the thread and back. */
export const inlineGrainsMax = 16;
const inlineBytesMax = 16 << 10;

export interface RootQuestion {
  id: number;
  lo: number;
  partials: Uint8Array;
  root: Uint8Array;
}
export type RootAnswer = { id: number; holds: boolean };

/** Whether the root is that of the partials; malformed partials have none. */
export function rootHolds({ lo, partials, root }: Omit<Claim, "hi">): boolean {
  if (root.length !== hashBytes) return false;
  try {
    return Buffer.compare(resultRootInto(lo, partials, sha256Into), root) === 0;
  } catch {
    return false;
  }
}

/** As text of one character a byte: Node makes such a string faster than it makes a Buffer. */
const sha256Into = (bytes: Uint8Array, into: Uint8Array, at: number): void => {
  const digest = hash("sha256", bytes, "binary");
  for (let index = 0; index < hashBytes; index++) into[at + index] = digest.charCodeAt(index);
};

export class Roots {
  readonly #waiting = new Map<number, { claim: Claim; resolve(holds: boolean): void }>();
  #thread: Worker | null = null;
  #nextId = 1;

  check(result: Claim): Promise<boolean> {
    const { lo, hi, partials, root } = result;
    if (hi - lo <= inlineGrainsMax && partials.length <= inlineBytesMax) {
      return Promise.resolve(rootHolds(result));
    }
    return new Promise((resolve) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { claim: result, resolve });
      // Copies: what was decoded is a view of a whole frame.
      const copy = Uint8Array.from(partials);
      const question: RootQuestion = { id, lo, partials: copy, root: Uint8Array.from(root) };
      const thread = this.#start();
      thread.ref();
      thread.postMessage(question, [copy.buffer]);
    });
  }

  /** Lets the thread go; what still waits is hashed here. A later check starts another. */
  close(): void {
    const thread = this.#thread;
    this.#thread = null;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { claim, resolve } of waiting) resolve(rootHolds(claim));
    void thread?.terminate();
  }

  #start(): Worker {
    if (this.#thread) return this.#thread;
    const thread = spawnThread(new URL("./roots-thread.ts", import.meta.url), null);
    const ended = (): void => {
      if (this.#thread === thread) this.close();
    };
    thread.on("message", ({ id, holds }: RootAnswer) => {
      this.#waiting.get(id)?.resolve(holds);
      this.#waiting.delete(id);
      // The process stays as long as an answer is due, and no longer.
      if (this.#waiting.size === 0) thread.unref();
    });
    thread.on("error", ended);
    thread.on("exit", ended);
    this.#thread = thread;
    return thread;
  }
}
