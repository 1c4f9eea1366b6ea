/** Installs the pinned `webgpu` package (Dawn for Node) into the worker's own folder, after asking. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { hasWebGpuPackage, webGpuPackage } from "../kernels/run/node-gpu.ts";

export async function installWebGpu(
  enginesDir: string,
  yes: boolean,
  log: (code: string, message: string) => void,
): Promise<void> {
  const { name, version, megabytes } = webGpuPackage;
  if (hasWebGpuPackage(enginesDir)) return;
  if (!yes && !(await ask(`Install ${name}@${version} (${megabytes} MB) into ${enginesDir}? [y/N] `))) {
    throw new Error("Without the webgpu package the GPU cannot be used. Start without --with-gpu, or say --yes.");
  }
  log("install", `Installing ${name}@${version} into ${enginesDir}.`);
  mkdirSync(enginesDir, { recursive: true });
  const manifest = join(enginesDir, "package.json");
  if (!existsSync(manifest)) writeFileSync(manifest, JSON.stringify({ private: true, name: "queztl-engines" }));
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const args = ["install", "--ignore-scripts", "--save-exact", "--no-audit", "--no-fund", `${name}@${version}`];
  const code = await new Promise<number | string>((done) => {
    // Windows runs npm through its shell, which would cut a path in the arguments at its spaces: the folder is where it runs.
    const shell = process.platform === "win32";
    const child = spawn(npm, args, { cwd: enginesDir, stdio: ["ignore", "ignore", "inherit"], shell });
    child.on("error", (error) => done(error.message));
    child.on("exit", (status, signal) => done(status ?? signal ?? "unknown"));
  });
  if (code !== 0)
    throw new Error(`npm could not install ${name}@${version} (${code}). Is npm there, and the registry in reach?`);
}

async function ask(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(question)).trim());
  } finally {
    terminal.close();
  }
}
