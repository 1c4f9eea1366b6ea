/** The SDK in a browser's page, and the command line beside it, both as the coordinator serves them. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Browser, JSHandle } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import type * as sdk from "../../client/sdk/index.ts";
import { launchChromium } from "../../scripts/chromium.mjs";
import { type RunningGrid, startGrid } from "./grid-process.ts";

const folder = mkdtempSync(join(tmpdir(), "queztl-sdk-"));
let grid: RunningGrid;
let browser: Browser;

beforeAll(async () => {
  grid = await startGrid();
  grid.worker({ own: true });
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await grid?.end();
  rmSync(folder, { recursive: true, force: true });
});

it("submits from a page, sees progress, and gets the result that the shell gets too", async () => {
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`${grid.url}/dashboard`);
  // As text: the test's own bundler would rewrite an `import()`.
  const module = (await page.evaluateHandle('import("/queztl-sdk.mjs")')) as JSHandle<typeof sdk>;
  const seen = await page.evaluate(async ({ connect, GridProblem }) => {
    const here = connect(location.origin);
    const job = await here.submit("monte_carlo", { iterations: 20_000_000, seed: 7 });
    const states: string[] = [];
    for await (const event of job.progress()) if (event.event === "state") states.push(event.job.status);
    const refused = await here.submit("monte_carlo", { iterations: 0 }).then(
      () => null,
      (error: unknown) => (error instanceof GridProblem ? error.toJSON() : String(error)),
    );
    return { id: job.id, states, result: await job.result(), refused };
  }, module);
  expect(seen.states.at(-1)).toBe("completed");
  expect(seen.result).toMatchObject({ model: "pi", iterations: 20_000_000, seed: "7" });
  expect(Math.abs(seen.result.estimate - Math.PI)).toBeLessThan(0.01);
  expect(seen.refused).toMatchObject({ code: "invalid_payload", field: "payload.iterations" });
  expect(errors).toEqual([]);

  const program = join(folder, "queztl.mjs");
  writeFileSync(program, await (await fetch(`${grid.url}/queztl.mjs`)).text());
  const env = { PATH: process.env.PATH, QUEZTL_URL: grid.url };
  const { stdout } = await promisify(execFile)(process.execPath, [program, "result", seen.id], { env });
  expect(JSON.parse(stdout)).toEqual(seen.result);
});
