/** A command line from its words to its exit code. */
import { readFile } from "node:fs/promises";
import { connect, GridProblem } from "../sdk/index.ts";
import type { Command, Io } from "./context.ts";
import { errorJson, exitOf, exits, exitTexts, NotFinished, UsageError } from "./exits.ts";
import { file, upload } from "./files.ts";
import { commonFlags, type Flag, nearest, type Parsed, parseFlags } from "./flags.ts";
import { result, watch } from "./follow.ts";
import { cancel, jobs, nodes, status, types } from "./look.ts";
import { map } from "./map.ts";
import { duration, plain } from "./print.ts";
import { Progress } from "./progress.ts";
import { submit } from "./submit.ts";

const commands: readonly Command[] = [submit, map, upload, status, result, file, watch, cancel, jobs, nodes, types];

/** Patience with a wrong address, and with a coordinator that was there and restarts. */
const retry = { firstMs: 5_000, totalMs: 120_000 };

/** Resolves with the exit code; what there is to say has been said. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const progress = new Progress(io.screen);
  // Also for a command that cannot be parsed.
  const json = argv.includes("--json");
  try {
    return await perform(argv, io, progress);
  } catch (error) {
    if (io.signal.aborted) {
      if (!json) progress.say("Interrupted. Jobs that were submitted go on; queztl cancel JOB ends one.");
      return exits.interrupted;
    }
    progress.end();
    io.screen.write(json ? `${JSON.stringify({ error: errorJson(error) })}\n` : errorText(error));
    return exitOf(error);
  }
}

async function perform(argv: readonly string[], io: Io, progress: Progress): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || ["help", "--help", "-h"].includes(name)) {
    const about = commands.find((candidate) => candidate.name === rest[0]);
    await io.out(about ? commandHelp(about) : help(io.version));
    return name === undefined ? exits.usage : exits.ok;
  }
  if (name === "--version") {
    await io.out(`${io.version}\n`);
    return exits.ok;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) throw unknownCommand(name);
  const parsed = parseFlags(rest, { ...commonFlags, ...command.flags }, command.withFields ?? false);
  if (parsed.flags.has("help")) {
    await io.out(commandHelp(command));
    return exits.ok;
  }
  checkWords(command, parsed.words);
  const json = parsed.flags.has("json");
  const key = await readKey(parsed.flags, io.env);
  const grid = connect(parsed.flags.get("url") ?? (io.env.QUEZTL_URL || "http://localhost:8000"), {
    ...(key === null ? {} : { key }),
    retry,
    onRetry: (problem, pauseMs) => {
      if (!json) progress.say(plain(`${problem.detail} Trying again in ${duration(pauseMs / 1000)}.`));
    },
  });
  return command.run({ ...parsed, grid, json, io, progress });
}

function unknownCommand(name: string): UsageError {
  const names = commands.map((command) => command.name);
  const near = nearest(name, names);
  const remedy = near === null ? `There are ${names.join(", ")}.` : `Did you mean ${near}?`;
  return new UsageError(name, `There is no command "${name}".`, remedy);
}

function checkWords({ name, usage, words: names, required }: Command, words: readonly string[]): void {
  if (words.length < required) {
    const missing = names[words.length]!;
    throw new UsageError(missing, `${missing} is missing.`, `Write: queztl ${name} ${usage}`);
  }
  if (words.length > names.length) {
    const extra = words[names.length]!;
    throw new UsageError(extra, `"${extra}" is one word too many.`, `Write: queztl ${name} ${usage}`.trimEnd());
  }
}

async function readKey(flags: Parsed["flags"], env: Io["env"]): Promise<string | null> {
  const file = flags.get("key-file");
  if (file === undefined) return env.QUEZTL_KEY?.trim() || null;
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    const detail = `The file ${file} cannot be read (${error.code ?? error.message}).`;
    throw new UsageError("--key-file", detail, "Check its name, or set QUEZTL_KEY.");
  });
  if (text.trim() === "") throw new UsageError("--key-file", `The file ${file} is empty.`, "Put the key into it.");
  return text.trim();
}

function errorText(error: unknown): string {
  if (error instanceof UsageError || error instanceof NotFinished) return `queztl: ${plain(error.message)}\n`;
  if (!(error instanceof GridProblem)) {
    return `queztl: ${error instanceof Error ? error.stack : String(error)}\nThis is a mistake of queztl: please report it.\n`;
  }
  const lines = [
    `queztl: ${error.message}`,
    ...(error.errors.length > 1 ? error.errors.map(({ field, message }) => `  ${field}: ${message}`) : []),
    // Where the remedy has not named them already.
    ...(error.available.some((name) => !error.message.includes(name))
      ? [`  available: ${error.available.join(", ")}`]
      : []),
  ];
  return `${lines.map(plain).join("\n")}\n`;
}

const flagLines = (flags: Record<string, Flag>): string[] =>
  Object.entries(flags).map(([name, flag]) => {
    const { value, help: text } = flag;
    return `  ${`--${name}${value === undefined ? "" : ` ${value}`}`.padEnd(24)} ${text}`;
  });

function help(version: string): string {
  const width = Math.max(...commands.map(({ name, usage }) => `${name} ${usage}`.length));
  return [
    `queztl ${version}: submit work to a Queztl grid`,
    "",
    "Usage: queztl COMMAND [--FLAG VALUE ...]      (or: node queztl.mjs COMMAND ...)",
    "",
    "Commands:",
    ...commands.map(({ name, usage, summary }) => `  ${`${name} ${usage}`.padEnd(width)}  ${summary}`),
    "",
    "Flags of every command:",
    ...flagLines(commonFlags),
    "",
    "Exit codes:",
    ...exitTexts.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`),
    "",
    "queztl COMMAND --help tells more.",
    "",
  ].join("\n");
}

const payloadHelp = [
  "PAYLOAD is JSON, @FILE, or - for standard input. Fields may be given beside it or alone, by the names that",
  "`queztl types TYPE` shows: --iterations 1e7. Within objects: --coinbase.prefix 00. Lists: once for each element.",
  "A field that has the name of a flag: --payload.NAME.",
  "",
];

function commandHelp({ name, usage, summary, flags, withFields }: Command): string {
  return [
    `Usage: queztl ${name} ${usage}`.trimEnd(),
    "",
    `${summary}.`,
    "",
    ...(withFields ? payloadHelp : []),
    ...flagLines({ ...flags, ...commonFlags }),
    "",
  ].join("\n");
}
