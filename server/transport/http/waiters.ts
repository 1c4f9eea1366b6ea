/** Requests that wait for a job's end. */
import type { Socket } from "node:net";
import { type Grid, isFinal } from "../grid.ts";

/** Beyond this, callers are answered at once and come back later. */
const waitersMax = 1_024;

export class Waiters {
  private waiting = 0;

  constructor(private readonly grid: Grid) {}

  /** Resolves when the job has ended, after `ms`, when `socket` closes, or at once when too many wait. */
  ended(id: string, ms: number, socket: Socket): Promise<void> {
    if (this.waiting >= waitersMax) return Promise.resolve();
    this.waiting++;
    return new Promise<void>((resolve) => {
      let unsubscribe: (() => void) | null = null;
      let over = false;
      const done = (): void => {
        if (over) return;
        over = true;
        this.waiting--;
        clearTimeout(timer);
        socket.off("close", done);
        unsubscribe?.();
        resolve();
      };
      const timer = setTimeout(done, ms);
      socket.once("close", done);
      unsubscribe = this.grid.subscribeJob(id, null, ({ event }) => {
        if (event.event === "state" && isFinal(event.job.status)) done();
      });
      if (over) unsubscribe();
    });
  }
}
