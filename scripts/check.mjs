/** `npm run check`: types (tsc and svelte-check), format and lint. All of them run, and each failure is shown. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { run } from "./lib/child.mjs";
import { root, tool } from "./lib/paths.mjs";
import { setup } from "./setup.mjs";

const CHECK_TIMEOUT_MS = 5 * 60_000;

/** Biome's program is a native one in a package for each platform; its own launcher finds it. */
const CHECKS = [
  { title: "Types", args: [tool("typescript/bin/tsc"), "--build"] },
  { title: "Format and lint", args: [tool("@biomejs/biome/bin/biome"), "check", "--error-on-warnings"] },
  {
    title: "Types of pages",
    args: [
      tool("svelte-check/bin/svelte-check"),
      ...["--workspace", "client", "--tsconfig", "./tsconfig.json", "--output", "human", "--fail-on-warnings"],
    ],
  },
];

/** @typedef {{ passed: boolean, lines: string[] }} Checked what `report` prints, when nothing else does */

/** @returns {Promise<Checked>} */
export async function check() {
  const lines = [];
  let passed = true;
  for (const { title, args } of CHECKS) {
    const startMs = performance.now();
    const program = args[0] ?? "";
    if (!existsSync(program)) throw new Error(`${join(root, program)} is missing: run "npm run setup".`);
    const done = await run(process.execPath, args, { timeoutMs: CHECK_TIMEOUT_MS });
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    lines.push(`${title} ... ${done.code === 0 ? "ok" : done.timedOut ? "ran out of time" : "failed"} (${seconds} s)`);
    if (done.code === 0) continue;
    passed = false;
    lines.push(done.output.trimEnd());
  }
  return { passed, lines };
}

/**
 * Returns true when every check passed.
 * @param {Checked} checked
 */
export function report({ passed, lines }) {
  console.log(lines.join("\n"));
  return passed;
}

export async function main() {
  await setup({ only: ["packages"] });
  return report(await check()) ? 0 : 1;
}
