/** `npm run bench:...`: set-up, then a TypeScript program of this repository with the arguments given. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { foreground } from "./lib/child.mjs";
import { root } from "./lib/paths.mjs";
import { setup } from "./setup.mjs";

/** @param {string[]} args the program's path below the root, then its arguments */
export async function main(args) {
  const [program, ...rest] = args;
  const path = resolve(root, program ?? "");
  if (program === undefined || !existsSync(path)) {
    console.error(program === undefined ? "Which program? Give its path." : `${program} does not exist.`);
    return 2;
  }
  await setup();
  return foreground(process.execPath, ["--import", "tsx", path, ...rest]);
}
