/**
 * `npm run doctor`: what this machine has of what Queztl needs, with cause and remedy. Needs no package, changes
 * nothing, and asks nobody on the network. Exit code 1 when something needed is missing.
 */
import { examine } from "./lib/doctor/checks.mjs";
import { thisHost } from "./lib/doctor/host.mjs";

const SIGNS = { ok: "ok     ", note: "note   ", care: "care   ", missing: "MISSING" };

/** @param {import("./lib/doctor/finding.mjs").Finding[]} findings */
export function report(findings) {
  const lines = findings.flatMap(({ check, level, found, remedy }) => [
    `${SIGNS[level]}  ${check.padEnd(12)} ${found}`,
    ...(remedy ? [`${" ".repeat(22)} ${level === "missing" || level === "care" ? "Remedy: " : ""}${remedy}`] : []),
  ]);
  const lacking = findings.filter(({ level }) => level === "missing").length;
  const end =
    lacking === 0
      ? "Nothing that is needed is missing."
      : `${lacking === 1 ? "One thing that is needed is" : `${lacking} things that are needed are`} missing.`;
  return `${lines.join("\n")}\n\n${end}`;
}

/** @param {string[]} args @param {import("./lib/doctor/host.mjs").Host} [host] */
export async function main(args, host = thisHost()) {
  const unknown = args.find((arg) => arg !== "--json");
  if (unknown !== undefined) {
    console.error(`${unknown} is unknown here; there is --json.`);
    return 2;
  }
  const findings = await examine(host);
  const healthy = findings.every(({ level }) => level !== "missing");
  console.log(args.includes("--json") ? JSON.stringify({ healthy, findings }, null, 2) : report(findings));
  return healthy ? 0 : 1;
}
