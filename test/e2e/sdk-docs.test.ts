/** The commands and programs of docs/sdk.md, as they are written there: a shell in an empty folder, beside a running grid. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { exitTexts } from "../../client/cli/exits.ts";
import { getJson, type RunningGrid, startGrid } from "./grid-process.ts";

const page = readFileSync(fileURLToPath(new URL("../../docs/sdk.md", import.meta.url)), "utf8");
const folder = mkdtempSync(join(tmpdir(), "queztl-docs-"));
let grid: RunningGrid;
beforeAll(async () => {
  grid = await startGrid();
  grid.worker({ own: true });
});
afterAll(async () => {
  await grid?.end();
  rmSync(folder, { recursive: true, force: true });
});

it("work in their order", async () => {
  const blocks = [...page.matchAll(/^```(sh|js)\n([\s\S]*?)^```$/gm)].map(([, kind, text]) => ({ kind, text: text! }));
  expect(blocks.length).toBeGreaterThan(6);
  // One shell for all of them, which ends with the first command that fails.
  const script = ["set -eu"];
  for (const { kind, text } of blocks) {
    const here = text.replaceAll("http://localhost:8000", grid.url);
    if (kind === "sh") script.push(here);
    else writeFileSync(join(folder, /^\/\/ (\S+\.mjs)$/m.exec(text)![1]!), here);
  }
  writeFileSync(join(folder, "all.sh"), script.join("\n"));
  const env = { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, QUEZTL_URL: grid.url };
  const { stdout } = await promisify(execFile)("sh", ["all.sh"], { cwd: folder, env });
  expect(JSON.parse(readFileSync(join(folder, "pi.json"), "utf8"))).toMatchObject({ model: "pi", iterations: 1e8 });
  expect(stdout).toContain('"model": "european_option"');
  expect(stdout).toMatch(/^3\.14\d+ \[ 3\.14\d+, 3\.14\d+ \]$/m);
  // Two submissions of one idempotency key are one job.
  const { jobs } = await getJson<{ jobs: { task_id: string }[] }>(`${grid.url}/api/v1.2/workload?limit=200`);
  const submissions = script.join("\n").match(/queztl\.mjs submit|node pi\.mjs/g)!;
  expect(jobs).toHaveLength(submissions.length - 1);
});

it("the table has every exit code", () => {
  const codes = [...page.matchAll(/^\| (\d+) \| /gm)].map(([, code]) => Number(code));
  expect(codes).toEqual(exitTexts.map(([code]) => code));
});
