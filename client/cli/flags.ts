/** Reads a command line: the commands' own flags, and for `submit` the payload's fields beside them. */
import { UsageError } from "./exits.ts";

export interface Flag {
  /** Name of its value in the help; a switch without. */
  value?: string;
  help: string;
}

/** Flags that every command takes. */
export const commonFlags = {
  url: { value: "URL", help: "The coordinator (QUEZTL_URL; default http://localhost:8000)" },
  "key-file": { value: "FILE", help: "File that holds the API key (or QUEZTL_KEY; none is needed on its machine)" },
  json: { help: "Print JSON, for programs" },
  help: { help: "Show this" },
} as const satisfies Record<string, Flag>;

/** A field of the payload as it was written: `--samples 1000`. A switch has no text. */
export interface FieldText {
  name: string;
  text: string | null;
}

export interface Parsed {
  words: string[];
  flags: ReadonlyMap<string, string>;
  fields: FieldText[];
}

export const fieldsMax = 1_000;

/**
 * Flags begin with `--`; their value follows after a space or `=`. A name that no flag has is a field where `withFields`
 * says so, else a mistake; `--payload.NAME` is a field whatever flags there are. Throws UsageError.
 */
export function parseFlags(argv: readonly string[], known: Record<string, Flag>, withFields: boolean): Parsed {
  const words: string[] = [];
  const flags = new Map<string, string>();
  const fields: FieldText[] = [];
  for (let at = 0; at < argv.length; at++) {
    const token = argv[at]!;
    if (token === "-h") flags.set("help", "");
    if (token === "-h") continue;
    if (!token.startsWith("--")) {
      words.push(token);
      continue;
    }
    const equals = token.indexOf("=");
    const name = token.slice(2, equals < 0 ? undefined : equals);
    const following = argv[at + 1];
    const given = equals < 0 ? null : token.slice(equals + 1);
    const flag = Object.hasOwn(known, name) ? known[name] : undefined;
    if (flag === undefined) {
      const field = name.startsWith("payload.") ? name.slice("payload.".length) : name;
      if (!withFields || field === "") throw unknownFlag(name, known);
      const takesNext = given === null && following !== undefined && !following.startsWith("--");
      fields.push({ name: field, text: given ?? (takesNext ? following : null) });
      if (takesNext) at++;
      if (fields.length > fieldsMax) {
        throw new UsageError(`--${name}`, `There are more than ${fieldsMax} fields.`, "Give the payload as @FILE.");
      }
    } else {
      if (flags.has(name)) throw new UsageError(`--${name}`, `--${name} is given twice.`, "Leave one out.");
      const value = flagValue(name, flag, given, following);
      flags.set(name, value.text);
      if (value.usedNext) at++;
    }
  }
  return { words, flags, fields };
}

function flagValue(name: string, flag: Flag, given: string | null, following: string | undefined) {
  if (flag.value === undefined) {
    if (given !== null) throw new UsageError(`--${name}`, `--${name} takes no value.`, `Write just --${name}.`);
    return { text: "", usedNext: false };
  }
  if (given !== null) return { text: given, usedNext: false };
  if (following === undefined || following.startsWith("--")) {
    throw new UsageError(`--${name}`, `--${name} needs a value.`, `Write --${name} ${flag.value}.`);
  }
  return { text: following, usedNext: true };
}

function unknownFlag(name: string, known: Record<string, Flag>): UsageError {
  const names = Object.keys(known);
  const near = nearest(name, names);
  const remedy =
    near === null ? `There are ${names.map((flag) => `--${flag}`).join(", ")}.` : `Did you mean --${near}?`;
  return new UsageError(`--${name}`, `There is no flag --${name}.`, remedy);
}

/** The one of `names` that was probably meant; null where none is near. */
export function nearest(given: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(2, Math.floor(given.length / 3)) + 1;
  for (const name of names) {
    const far = distance(given.toLowerCase(), name.toLowerCase());
    if (far < least) [best, least] = [name, far];
  }
  return best;
}

/** Insertions, deletions and replacements from one word to the other (Levenshtein). */
function distance(a: string, b: string): number {
  // Nobody mistypes a name of that length, and the table grows with the product.
  if (Math.max(a.length, b.length) > 64) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + change));
    }
    row = next;
  }
  return row[b.length]!;
}

/** A flag's whole number within bounds; undefined when it is not given. */
export function integerFlag(flags: Parsed["flags"], name: string, least: number, most: number): number | undefined {
  const text = flags.get(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new UsageError(`--${name}`, `--${name} is "${text}".`, `Give a whole number from ${least} to ${most}.`);
}

/** A flag's number within bounds; undefined when it is not given. */
export function numberFlag(flags: Parsed["flags"], name: string, least: number, most: number): number | undefined {
  const text = flags.get(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && value >= least && value <= most) return value;
  throw new UsageError(`--${name}`, `--${name} is "${text}".`, `Give a number from ${least} to ${most}.`);
}
