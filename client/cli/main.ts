/** The command line: `node queztl.mjs --help`. */
import { run } from "./run.ts";

/** Set by the bundler; from source there is no build to name. */
declare const __QUEZTL_VERSION__: string | undefined;
const version = typeof __QUEZTL_VERSION__ === "string" ? __QUEZTL_VERSION__ : "(source)";

const interrupted = new AbortController();
let signals = 0;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (++signals > 1) process.exit(130);
    interrupted.abort(new Error("interrupted"));
  });
}
// A reader that has seen enough (`queztl jobs | head -1`) is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 70));
}

const code = await run(process.argv.slice(2), {
  out: (text) =>
    new Promise((resolve) => {
      process.stdout.write(text, () => resolve());
    }),
  screen: {
    write: (text) => void process.stderr.write(text),
    get columns() {
      return process.stderr.isTTY ? process.stderr.columns || 80 : null;
    },
  },
  stdin: process.stdin,
  env: process.env,
  signal: interrupted.signal,
  version,
});
// Idle connections are not waited for; what was written is.
process.stderr.write("", () => process.exit(code));
