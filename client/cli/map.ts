/** `queztl map`: a program of one's own over lines of standard input or a file; outputs as lines, in order. */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { Command } from "./context.ts";
import { exits, UsageError } from "./exits.ts";
import { integerFlag } from "./flags.ts";
import { termFlags, termsOf } from "./terms.ts";

export const map: Command = {
  name: "map",
  usage: "PROGRAM [FILE]",
  summary: "Run a program of your own (.ts in AssemblyScript, .wasm) over each line",
  words: ["PROGRAM", "FILE"],
  required: 1,
  flags: {
    ...termFlags,
    batch: { value: "N", help: "Lines in a job; 256 without" },
    "in-flight": { value: "N", help: "Jobs under way at a time; 4 without" },
    params: { value: "JSON", help: "Handed to the program's init" },
    name: {
      value: "NAME",
      help: "The same name, program and lines are the same jobs: a second run goes on from there",
    },
    raw: { help: "Each line is a text; without it each is JSON" },
  },
  async run(context) {
    const { flags, words, io, grid } = context;
    const [program, file] = words as [string, string | undefined];
    const source = await sourceOf(program);
    const batch = integerFlag(flags, "batch", 1, 65_536);
    const inFlight = integerFlag(flags, "in-flight", 1, 1_024);
    const lines = linesOf(file, io.stdin);
    const raw = flags.has("raw");
    const results = grid.map(raw ? lines : parsed(lines), {
      source,
      ...termsOf(flags),
      ...(batch === undefined ? {} : { batch }),
      ...(inFlight === undefined ? {} : { inFlight }),
      ...(flags.has("params") ? { params: json("--params", flags.get("params") as string) } : {}),
      ...(flags.has("name") ? { name: flags.get("name") as string } : {}),
      signal: io.signal,
    });
    let count = 0;
    for await (const { value } of results) {
      await io.out(`${JSON.stringify(value)}\n`);
      count++;
    }
    if (!context.json) context.progress.say(`${count} ${count === 1 ? "output" : "outputs"}`);
    return exits.ok;
  },
};

async function sourceOf(program: string): Promise<string | Uint8Array> {
  try {
    const bytes = await readFile(program);
    return program.endsWith(".wasm") ? new Uint8Array(bytes) : bytes.toString("utf8");
  } catch (error) {
    const { code = "unreadable" } = error as NodeJS.ErrnoException;
    throw new UsageError(
      "PROGRAM",
      `The file ${program} cannot be read (${code}).`,
      "Give AssemblyScript, or a .wasm.",
    );
  }
}

async function* linesOf(file: string | undefined, stdin: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const input = file === undefined || file === "-" ? Readable.from(stdin) : createReadStream(file);
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }))
      if (line !== "") yield line;
  } catch (error) {
    const { code = "unreadable" } = error as NodeJS.ErrnoException;
    throw new UsageError("FILE", `${file ?? "standard input"} cannot be read (${code}).`, "Check its name.");
  }
}

async function* parsed(lines: AsyncIterable<string>): AsyncGenerator<unknown> {
  let number = 0;
  for await (const line of lines) {
    number++;
    yield json(`line ${number}`, line);
  }
}

function json(field: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(
      field,
      `${JSON.stringify(text.slice(0, 80))} is not JSON.`,
      "Correct it, or add --raw for plain text.",
    );
  }
}
