/**
 * `npm run dev`: the coordinator, started again when its code or a kernel changes, and the pages by Vite's own server,
 * which puts a change into the open page. Kernels and bundles are built again when their sources change.
 * Arguments go to the coordinator.
 */
import { spawn } from "node:child_process";
import { watch } from "node:fs";
import { join } from "node:path";
import { root, tool } from "./lib/paths.mjs";
import { setup } from "./setup.mjs";

/** Editors write a file in several steps, and save several files at once. */
const SETTLE_MS = 300;
const WATCHED = ["kernels", "native-worker", "agent", "protocol", "client/cli", "client/sdk"];
/** Time for the coordinator to drain after Ctrl-C before it is killed. */
const STOP_MS_MAX = 10_000;

/** Builds what changed, one build at a time; changes during a build lead to one more. */
function rebuildOnChange() {
  let timer = /** @type {NodeJS.Timeout | undefined} */ (undefined);
  let building = false;
  const build = async () => {
    if (building) return later();
    building = true;
    try {
      await setup({ only: ["kernels", "workshop", "worker", "cli"] });
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
    } finally {
      building = false;
    }
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(build, SETTLE_MS);
  };
  return WATCHED.map((folder) =>
    watch(join(root, folder), { recursive: true }, (_event, file) => {
      if (file !== null && !/\.test\.ts$/.test(file)) later();
    }),
  );
}

/** @param {string[]} args */
export async function main(args) {
  await setup();
  const coordinator = [tool("tsx/dist/cli.mjs"), "watch", "--clear-screen=false", "--include", "dist/kernels/**"];
  const pages = [tool("vite/bin/vite.js"), "--config", "client/vite.config.ts"];
  const programs = [[...coordinator, "server/main.ts", "--no-open", ...args], pages];
  const children = programs.map((program) => spawn(process.execPath, program, { cwd: root, stdio: "inherit" }));
  const watchers = rebuildOnChange();
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    for (const watcher of watchers) watcher.close();
    // At a terminal Ctrl-C has reached them already, and tsx takes a second signal for "at once".
    if (!process.stdin.isTTY) for (const child of children) child.kill("SIGTERM");
    setTimeout(() => {
      for (const child of children) child.kill("SIGKILL");
    }, STOP_MS_MAX).unref();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  const codes = await Promise.all(
    children.map(
      (child) =>
        new Promise((resolve) => {
          child.on("close", (code) => {
            // One without the other is of no use.
            if (!stopping) {
              stop();
              for (const other of children) other.kill("SIGTERM");
            }
            resolve(code ?? 0);
          });
        }),
    ),
  );
  return codes.find((code) => code !== 0) ?? 0;
}
