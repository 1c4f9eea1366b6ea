/** Commands that send a file to the grid, and fetch what a job made. */
import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type Command, printJson } from "./context.ts";
import { exits, UsageError } from "./exits.ts";

export const upload: Command = {
  name: "upload",
  usage: "FILE",
  summary: "Upload a file; prints the name that payloads give it",
  words: ["FILE"],
  required: 1,
  flags: {},
  async run(context) {
    const { grid, io, json, progress } = context;
    const path = context.words[0] as string;
    const file = await openAsBlob(path).catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(
        "FILE",
        `The file ${path} cannot be read (${error.code ?? error.message}).`,
        "Check its name.",
      );
    });
    let told = 0;
    const done = await grid.upload(file, {
      signal: io.signal,
      onProgress: (sent, bytes) => {
        const percent = Math.floor((100 * sent) / bytes);
        if (json || percent < told + 10 || percent === 100) return;
        told = percent;
        progress.say(`${percent}% of ${bytes} bytes`);
      },
    });
    if (json) await printJson(context, done);
    else await io.out(`${done.blob}\n`);
    return exits.ok;
  },
};

export const file: Command = {
  name: "file",
  usage: "JOB NAME",
  summary: "Fetch a file that a job made, as its result lists them",
  words: ["JOB", "NAME"],
  required: 2,
  flags: { out: { value: "FILE", help: "Where to put it; by its own name here without" } },
  async run(context) {
    const [id, name] = context.words as [string, string];
    const bytes = await context.grid.job(id).file(name, { signal: context.io.signal });
    const path = context.flags.get("out") ?? name;
    await writeFile(path, bytes).catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(
        "--out",
        `${path} cannot be written (${error.code ?? error.message}).`,
        "Give another place.",
      );
    });
    if (context.json) await printJson(context, { file: path, bytes: bytes.length });
    else context.progress.say(`${path}: ${bytes.length} bytes`);
    return exits.ok;
  },
};
