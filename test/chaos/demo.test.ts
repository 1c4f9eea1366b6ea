/** `npm run demo:chaos`, as a user runs it, with fewer darts. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

function demo(...args: string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    // What a user has set for a coordinator of theirs does not disturb it.
    const env = { ...process.env, QUEZTL_PORT: "1", QUEZTL_DATA: "/nonexistent/queztl" };
    const child = spawn(process.execPath, ["scripts/queztl.cjs", "demo-chaos", ...args], { cwd: root, env });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
    child.on("close", (code) => resolve({ code, output }));
  });
}

it("kills the coordinator and a node, comes to the same digits, and leaves nothing behind", async () => {
  const { code, output } = await demo("--darts", "1000000000");
  expect(output).toMatch(/kill -9 \d+: the coordinator is gone, \d+ of \d+ grains accepted/);
  expect(output).toMatch(/kill -9 \d+: Bob is gone, \d+ of \d+ grains accepted/);
  expect(output).toContain("Nothing was lost: every dart was counted once, and the digits are the same");
  const hits = [...output.matchAll(/disturbed +([\d,]+) hits in 1,000,000,000 darts/g)].map((match) => match[1]);
  expect(hits).toHaveLength(2);
  expect(hits[0]).toBe(hits[1]);
  expect(code).toBe(0);
  const folder = /Ada and Bob, in (.+)\.\n/.exec(output)?.[1] ?? "";
  expect(folder).not.toBe("");
  expect(existsSync(folder)).toBe(false);
}, 100_000);

it("refuses a number of darts that is none", async () => {
  const { code, output } = await demo("--darts", "many");
  expect(code).toBe(1);
  expect(output).toContain('--darts must be a whole number from 1e6 to 1e11; it is "many".');
});
