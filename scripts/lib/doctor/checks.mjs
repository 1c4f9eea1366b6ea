/** All checks, in the order in which a start meets them. */
import { gpu } from "./gpu.mjs";
import { certificate, clock, data, port } from "./machine.mjs";
import { browsers, compiler, node, npm, packages } from "./tools.mjs";

/** @typedef {import("./host.mjs").Host} Host */
/** @typedef {import("./finding.mjs").Finding} Finding */

/** @type {((host: Host) => Finding | Finding[] | Promise<Finding | Finding[]>)[]} */
export const checks = [node, npm, packages, compiler, gpu, port, browsers, certificate, data, clock];

/** A check that fails itself is a finding too, and hides no other. @param {Host} host @returns {Promise<Finding[]>} */
export async function examine(host) {
  const found = await Promise.all(
    checks.map(async (check) => {
      try {
        return await check(host);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        /** @type {Finding} */
        const failed = {
          check: check.name,
          level: "care",
          found: `this check failed: ${message}`,
          remedy: "tell the project",
        };
        return failed;
      }
    }),
  );
  return found.flat();
}
