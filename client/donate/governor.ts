/**
 * Keeps the page's own frames smooth, and the device at ease: where many frames come late, or it is under pressure, the
 * threads compute less of the time. Pure: frames come in as intervals in milliseconds, from requestAnimationFrame while
 * the page is visible.
 */

/** Frames judged together: some two seconds at 60 a second. */
const windowFrames = 120;
/** A frame is late when it takes this much longer than the display's own beat, and one beat of slack. */
const lateFactor = 1.5;
/** Longer gaps are a tab that was hidden, or a device that slept: no frames. */
const gapMsMax = 1_000;
const lateShareMax = 0.15;
const lateShareFine = 0.04;
const shareMin = 0.25;

export type PressureState = "nominal" | "fair" | "serious" | "critical";

/**
 * Obeys Compute Pressure. The tab's own threads are part of what is measured, so the share is lowered step by step while there is
 * pressure and raised when there is none: it settles where the device is just not pressed, instead of going on and off.
 */
export class PressureGovernor {
  #share = 1;

  get share(): number {
    return this.#share;
  }

  /** Every `pressureMs` while the tab computes. Answers whether the share changed. */
  tick(state: PressureState | null): boolean {
    const before = this.#share;
    if (state === "critical") this.#share = Math.max(shareMin, before * 0.6);
    else if (state === "serious") this.#share = Math.max(shareMin, before * 0.8);
    else this.#share = Math.min(1, before + 0.1);
    return this.#share !== before;
  }
}
export const pressureMs = 3_000;

export class Governor {
  #share = 1;
  #frames: number[] = [];
  /** The display's beat: the shortest usual interval that was seen. */
  #beatMs = Number.POSITIVE_INFINITY;

  /** Share of the time that threads may compute, from 0.25 to 1. */
  get share(): number {
    return this.#share;
  }

  /** Answers whether the share changed. */
  frame(intervalMs: number): boolean {
    if (!(intervalMs > 0) || intervalMs > gapMsMax) return false;
    this.#frames.push(intervalMs);
    if (this.#frames.length < windowFrames) return false;
    const sorted = this.#frames.sort((a, b) => a - b);
    this.#frames = [];
    // A tenth of the window: a few frames that came early do not set the beat.
    this.#beatMs = Math.min(this.#beatMs, sorted[windowFrames / 10] as number);
    const late = sorted.filter((ms) => ms > this.#beatMs * lateFactor).length / windowFrames;
    const before = this.#share;
    if (late > lateShareMax) this.#share = Math.max(shareMin, before * 0.75);
    else if (late < lateShareFine) this.#share = Math.min(1, before + 0.1);
    return this.#share !== before;
  }
}
