/**
 * `npm test`: set-up, types and lint, then the tests: unit (no browser), programs (started as processes), sim (the grid
 * in virtual time), gpu (shaders in a browser), chaos (killed processes), attacks (hostile clients) and e2e (real browsers). `npm run test:unit` and
 * its siblings run one of them, without the checks. Arguments after the name go to Vitest, e.g.
 * `npm run test:unit -- server/core`.
 */
import { check, report } from "./check.mjs";
import { findChromium } from "./chromium.mjs";
import { foreground } from "./lib/child.mjs";
import { tool } from "./lib/paths.mjs";
import { findOtherBrowsers } from "./other-browsers.mjs";
import { setup } from "./setup.mjs";

const PROJECTS = ["unit", "programs", "sim", "gpu", "chaos", "attacks", "e2e"];

/** @param {string[]} args */
export async function main(args) {
  const [first, ...others] = args;
  const name = first !== undefined && (PROJECTS.includes(first) || first === "all") ? first : "all";
  const rest = first === name ? others : args;
  const projects = name === "all" ? PROJECTS : [name];
  await setup({ only: ["packages"] });
  // Types and lint need packages only: they are looked at while the rest is built.
  const checking = name === "all" ? check() : null;
  // Unit tests read built kernels, but no page and no bundle.
  await setup(name === "unit" ? { only: ["packages", "driver", "kernels"] } : {});
  const env = { ...process.env };
  // Looked for before anything long runs, so that a missing browser is told at once.
  if (projects.includes("e2e") || projects.includes("gpu")) {
    env.QUEZTL_CHROMIUM = await findChromium({ install: true });
    // Their tests look for them again, and tell what is missing.
    await findOtherBrowsers({ install: true });
  }
  if (checking !== null && !report(await checking)) return 1;
  const chosen = projects.flatMap((project) => ["--project", project]);
  return foreground(process.execPath, [tool("vitest/vitest.mjs"), "run", ...chosen, ...rest], { env });
}
