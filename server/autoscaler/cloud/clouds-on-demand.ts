/** For tests: libraries of clouds that are too heavy to come with the rest, installed once into the cache. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The pinned packages, as the providers name them where one is missing. */
export const cloudPackages = {
  gcp: { "@google-cloud/compute": "6.15.0", "google-auth-library": "10.5.0" },
  azure: { "@azure/arm-compute": "24.1.0", "@azure/identity": "4.13.1" },
} as const;

/** Throws with npm's last words where they cannot be installed. */
export function installCloud(name: keyof typeof cloudPackages): (library: string) => Promise<unknown> {
  const folder = fileURLToPath(new URL(`../../../.cache/clouds/${name}`, import.meta.url));
  const wanted = Object.entries(cloudPackages[name]);
  mkdirSync(folder, { recursive: true });
  if (!wanted.every(([library]) => existsSync(join(folder, "node_modules", library, "package.json")))) {
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, name: `queztl-cloud-${name}` }));
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    const packages = wanted.map(([library, version]) => `${library}@${version}`);
    const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", ...packages];
    const { status, stderr } = spawnSync(npm, args, {
      cwd: folder,
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    if (status !== 0)
      throw new Error(`npm could not install ${packages.join(" ")}: ${stderr.trim().split("\n").at(-1)}`);
  }
  const require = createRequire(join(folder, "package.json"));
  return (library) => import(pathToFileURL(require.resolve(library)).href);
}
