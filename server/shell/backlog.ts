/** What a node was sent and has not read yet: how much may pile up, and for how long without a byte going out. */

/** Up to here nothing is asked. */
const freeBytes = 4 << 20;
/** A node with many slots is sent their inputs ahead; beyond this nobody is. */
const bytesMax = 48 << 20;
/** With more than `freeBytes` waiting, so much must go out in so long: 17 kB/s, far below a line that computing here makes sense on. */
const windowMs = 15_000;
const bytesMin = 256 << 10;

export class Backlog {
  #sent = 0;
  #since: { ms: number; drained: number } | null = null;

  sent(bytes: number): void {
    this.#sent += bytes;
  }

  /** Whether the node is too slow to be kept, `waiting` bytes being still here. */
  isStuck(waiting: number, nowMs: number): boolean {
    if (waiting > bytesMax) return true;
    if (waiting <= freeBytes) {
      this.#since = null;
      return false;
    }
    const drained = this.#sent - waiting;
    this.#since ??= { ms: nowMs, drained };
    if (nowMs - this.#since.ms < windowMs) return false;
    if (drained - this.#since.drained < bytesMin) return true;
    this.#since = { ms: nowMs, drained };
    return false;
  }
}
