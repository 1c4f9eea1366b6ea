/** Researchers' code that misbehaves where it was not tried: its job ends, with the reason, and its node goes on. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connect, type GridProblem } from "../../client/sdk/index.ts";
import type { NetworkStatus } from "../../protocol/rest.ts";
import { getJson, type RunningGrid, startGrid, until } from "../e2e/grid-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
let grid: RunningGrid;

beforeAll(async () => {
  grid = await startGrid();
  grid.worker({ own: true });
});
afterAll(() => grid?.end());

const head = 'import { index, answer } from "./queztl";\nexport function run(at: usize, length: i32): u64 {\n';

async function run(args: string[]): Promise<string> {
  const env = { ...process.env, QUEZTL_URL: grid.url };
  return (await promisify(execFile)(process.execPath, args, { cwd: root, env, timeout: 55_000 })).stdout;
}

const job = async (body: string) => {
  const code = `${head}  if (index(at) == 700) {\n${body}\n  }\n  return answer("1");\n}\n`;
  const payload = {
    language: "assemblyscript",
    code,
    inputs: { count: 1_000 },
    limits: { task_seconds: 0.1 },
  } as const;
  return connect(grid.url).submit("custom", payload);
};

it("fails its job with its task, after a trap, and the node goes on", async () => {
  const failed = await (await job("unreachable();")).result().catch((error: GridProblem) => error);
  expect(failed).toMatchObject({ code: "job_failed", detail: expect.stringMatching(/Task 700 failed in run/) });
});

it("is ended when it does not come back, and the node goes on", async () => {
  const failed = await (await job("for (;;) {}")).result().catch((error: GridProblem) => error);
  expect(failed).toMatchObject({ code: "job_failed", detail: expect.stringMatching(/silent for 10 s/) });
  const { nodes } = await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`);
  expect(nodes.filter(({ online }) => online)).toHaveLength(1);
  await until(
    async () =>
      (await run(["dist/queztl.mjs", "submit", "monte_carlo", "--iterations", "1e6", "--wait"])).includes("estimate"),
    60_000,
    grid.output,
  );
}, 120_000);
