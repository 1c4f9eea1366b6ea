/** The first minutes of a volunteer on another device: a page over https on the LAN, an idle grid, and its demo job. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { JobList, JobView, NetworkStatus } from "../../protocol/rest.ts";
import { launchChromium } from "../../scripts/chromium.mjs";
import { lanAddressesBestFirst } from "../../server/first-minutes/addresses.ts";
import { freePort, until } from "./grid-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const dataDir = mkdtempSync(join(tmpdir(), "queztl-first-"));
let coordinator: ChildProcess;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let url = "";
let printed = "";

const get = async <T>(path: string, headers: Record<string, string> = {}): Promise<T> => {
  const answer = await context.request.get(url + path, { headers });
  if (!answer.ok()) throw new Error(`${path} answered ${answer.status()}: ${await answer.text()}`);
  return (await answer.json()) as T;
};
const demoJobs = async (): Promise<JobView[]> =>
  (await get<JobList>("/api/v1.2/workload?limit=50")).jobs.filter((job) => job.label === "demo");
const tabs = async (): Promise<NetworkStatus["nodes"]> =>
  (await get<NetworkStatus>("/api/v1.2/network/status")).nodes.filter((node) => node.kind === "tab" && node.online);

beforeAll(async () => {
  const port = await freePort();
  // A machine without a network tests the same over loopback.
  url = `https://${lanAddressesBestFirst()[0]?.address ?? "127.0.0.1"}:${port}`;
  const args = ["--port", String(port), "--data", dataDir, "--https", "--demo-job", "--threads", "1"];
  coordinator = spawn(process.execPath, ["--import", "tsx", "server/main.ts", ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [coordinator.stdout, coordinator.stderr]) stream?.on("data", (data) => (printed += data));
  browser = await launchChromium({ gpu: true });
  context = await browser.newContext({ ignoreHTTPSErrors: true });
  await until(
    async () => (await context.request.get(`${url}/api/health`).catch(() => null))?.ok() === true,
    20_000,
    () => printed,
  );
  page = await context.newPage();
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await new Promise((resolve) => {
    coordinator.once("exit", resolve);
    if (coordinator.exitCode !== null || !coordinator.kill("SIGTERM")) resolve(null);
  });
  rmSync(dataDir, { recursive: true, force: true });
});

it("the page over https on the LAN may use everything that browsers keep from plain http", async () => {
  await page.goto(url);
  await page.getByTestId("donate-button").waitFor();
  expect(await page.evaluate(() => [isSecureContext, "gpu" in navigator, "subtle" in crypto])).toEqual([
    true,
    true,
    true,
  ]);
  expect(await demoJobs()).toEqual([]);
});

it("a click on an idle grid leads to an accepted slice of the demo job within ten seconds", async () => {
  const clickedMs = performance.now();
  await page.getByTestId("donate-button").click();
  await until(
    async () => ((await tabs())[0]?.accepted_slices ?? 0) > 0,
    30_000,
    () => printed,
  );
  const seconds = (performance.now() - clickedMs) / 1000;
  const [job, ...others] = await demoJobs();
  expect(others).toEqual([]);
  expect(job).toMatchObject({ workload_type: "monte_carlo", priority: 1, submitter: "demo", status: "running" });
  expect(seconds).toBeLessThan(10);
  // The page's picture is of this tab's own samples.
  await until(async () => Number(await page.getByTestId("picture").getAttribute("data-darts")) >= 512, 20_000);
});

it("the dashboard shows what is a demo, by the same title as the tab that computes it", async () => {
  const dashboard = await context.newPage();
  await dashboard.goto(`${url}/dashboard`);
  const row = dashboard.getByTestId("job-row").first();
  await row.waitFor();
  await until(async () => (await row.locator("strong").innerText()) === "Monte Carlo", 5_000);
  expect(await row.getByTestId("job-label").innerText()).toBe("demo");
  await row.click();
  expect(await dashboard.getByTestId("job-label-words").innerText()).toContain("gives way to every other job");
  await dashboard.close();
});

it("the demo job gives way to a user's job", async () => {
  const { operatorToken } = JSON.parse(readFileSync(join(dataDir, "secrets.json"), "utf8")) as Record<string, string>;
  const headers = { authorization: `Bearer ${operatorToken}` };
  const data = { workload_type: "monte_carlo", payload: { iterations: 1_000_000_000 } };
  const submitted = await context.request.post(`${url}/api/v1.2/workload/submit`, { headers, data });
  expect(submitted.status()).toBe(202);
  const { task_id: id } = (await submitted.json()) as { task_id: string };
  await until(
    async () => (await get<JobView>(`/api/v1.2/workload/${id}`, headers)).status === "completed",
    60_000,
    () => printed,
  );
  expect((await demoJobs()).map((job) => job.status)).toEqual(["cancelled"]);
});
