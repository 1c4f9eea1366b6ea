/** A job's progress on standard error: one line that moves on a terminal, a line for each tenth elsewhere. */
import type { JobView } from "../sdk/index.ts";
import { duration, percent, plain } from "./print.ts";

export interface Screen {
  write(text: string): void;
  /** Columns of the terminal; null where it is none. */
  columns: number | null;
}

const barMax = 30;

/** The line for a job, at most that many characters. */
export function progressLine(job: JobView, columns: number): string {
  const { fraction, grains, grains_accepted } = job.progress;
  const { elapsed_seconds } = job.timings;
  const left = fraction > 0 && fraction < 1 ? (elapsed_seconds * (1 - fraction)) / fraction : null;
  const words = [
    percent(fraction).padStart(6),
    `${grains_accepted}/${grains} grains`,
    duration(elapsed_seconds),
    ...(left === null || job.status !== "running" ? [] : [`about ${duration(left)} left`]),
    job.status,
    ...job.reasons.slice(0, 1).map(({ message }) => message),
  ];
  const text = plain(words.join("  "));
  const bar = Math.min(barMax, columns - text.length - 4);
  if (bar < 8) return text.slice(0, columns);
  const full = Math.round(bar * Math.min(1, Math.max(0, fraction)));
  return `[${"#".repeat(full)}${".".repeat(bar - full)}] ${text}`.slice(0, columns);
}

export class Progress {
  #drawn = false;
  #told = "";

  constructor(private readonly screen: Screen) {}

  show(job: JobView): void {
    const { columns } = this.screen;
    if (columns !== null) {
      // One column stays free: a terminal goes to the next line after its last one.
      this.screen.write(`\r${progressLine(job, Math.max(20, columns) - 1)}\x1b[K`);
      this.#drawn = true;
      return;
    }
    const stage = `${job.status} ${Math.floor(job.progress.fraction * 10)}`;
    if (stage === this.#told) return;
    this.#told = stage;
    this.screen.write(`${progressLine(job, 120)}\n`);
  }

  /** Leaves the last line where it is, and goes on below it. */
  end(): void {
    if (this.#drawn) this.screen.write("\n");
    this.#drawn = false;
  }

  /** Says something in between. */
  say(text: string): void {
    this.end();
    this.screen.write(`${text}\n`);
  }
}
