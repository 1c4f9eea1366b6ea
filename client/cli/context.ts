/** What a command is given. */
import type { Grid } from "../sdk/index.ts";
import { NotFinished, UsageError } from "./exits.ts";
import { type Flag, integerFlag, type Parsed } from "./flags.ts";
import type { Progress, Screen } from "./progress.ts";

/** The program's surroundings. */
export interface Io {
  /** Standard output; resolves when more may be written. */
  out(text: string): Promise<void>;
  /** Standard error. */
  screen: Screen;
  stdin: AsyncIterable<Uint8Array>;
  env: Readonly<Record<string, string | undefined>>;
  /** Aborts when the user interrupts. */
  signal: AbortSignal;
  version: string;
}

export interface Context extends Parsed {
  grid: Grid;
  /** Print for programs. */
  json: boolean;
  io: Io;
  progress: Progress;
}

export interface Command {
  name: string;
  /** Its words in the help, as "TYPE [PAYLOAD]". */
  usage: string;
  summary: string;
  /** Names of its words; those after `required` may be missing. */
  words: readonly string[];
  required: number;
  flags: Record<string, Flag>;
  /** Flags that are unknown are fields of the payload. */
  withFields?: boolean;
  /** Resolves with the exit code. */
  run(context: Context): Promise<number>;
}

export const timeoutFlag = { value: "SECONDS", help: "Wait no longer than this" } as const satisfies Flag;
const timeoutSecondsMax = 2_000_000;

/** One line of JSON on standard output. */
export const printJson = ({ io }: Context, value: unknown): Promise<void> => io.out(`${JSON.stringify(value)}\n`);

/** Runs a task that waits for a job, for at most --timeout. Throws NotFinished. */
export async function waiting<T>(context: Context, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const seconds = integerFlag(context.flags, "timeout", 1, timeoutSecondsMax);
  if (seconds === undefined) return task(context.io.signal);
  const clock = AbortSignal.timeout(seconds * 1000);
  try {
    return await task(AbortSignal.any([context.io.signal, clock]));
  } catch (error) {
    if (!clock.aborted || context.io.signal.aborted) throw error;
    throw new NotFinished(`The job is not finished after ${seconds} s. It goes on: queztl watch ${context.words[0]}`);
  }
}

/** Refuses flags that contradict each other. */
export function notBoth({ flags }: Context, one: string, other: string): void {
  if (flags.has(one) && flags.has(other)) {
    throw new UsageError(`--${one}`, `--${one} and --${other} contradict each other.`, "Leave one out.");
  }
}
