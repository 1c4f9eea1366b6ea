/**
 * `npm start`: set-up, then the coordinator in the foreground with all arguments passed on (`npm start -- --demo`).
 * With QUEZTL_MODE=worker it is the native worker instead.
 */
import { join } from "node:path";
import { foreground } from "./lib/child.mjs";
import { root } from "./lib/paths.mjs";
import { setup } from "./setup.mjs";

/** The program of each mode, and the steps of set-up that it needs; an empty list means all. */
const MODES = {
  master: { program: "server/main.ts", only: [] },
  worker: { program: "native-worker/main.ts", only: ["packages", "kernels"] },
};

/** @param {string[]} args */
export async function main(args) {
  const mode = process.env.QUEZTL_MODE ?? "master";
  if (mode !== "master" && mode !== "worker") {
    console.error(`QUEZTL_MODE is ${JSON.stringify(mode)}; it may be "master" (the coordinator) or "worker".`);
    return 2;
  }
  const { program, only } = MODES[mode];
  await setup({ only });
  return foreground(process.execPath, ["--import", "tsx", join(root, ...program.split("/")), ...args]);
}
