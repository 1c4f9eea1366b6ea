/** Tunes how much a step computes, so that a thread can be stopped at any time and yet wastes little on stopping. */
const TARGET_MS = 30;
/** Growth from step to step; clocks of browsers tick in steps of 0.1 to 1 ms, so a tiny step tells little. */
const GROWTH_MAX = 4;
const UNITS_MAX = 2 ** 30;

/** How many units the next step takes, from what the last ones took. */
export class Pace {
  #units = 1;
  #msPerUnit = 0;

  get units(): number {
    return this.#units;
  }

  /**
   * Notes that a step that was allowed `units` units took `ms`. A slower step counts at once, faster ones by and by.
   * A range's last step may have had less to do: it is only heard when it took too long all the same.
   */
  note(ms: number, last: boolean): void {
    if (last && ms <= TARGET_MS) return;
    const measured = ms / this.#units;
    this.#msPerUnit = measured > this.#msPerUnit ? measured : (this.#msPerUnit + measured) / 2;
    const fitting = this.#msPerUnit > 0 ? Math.floor(TARGET_MS / this.#msPerUnit) : UNITS_MAX;
    this.#units = Math.max(1, Math.min(fitting, this.#units * GROWTH_MAX, UNITS_MAX));
  }
}
