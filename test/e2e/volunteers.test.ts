/** The volunteers' page in a real browser: what was given counts, and an identity speaks for itself. */
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Leaderboard, VolunteerPage } from "../../protocol/ledger.ts";
import { launchChromium } from "../../scripts/chromium.mjs";
import { getJson, type RunningGrid, startGrid, submit, until } from "./grid-process.ts";

let grid: RunningGrid;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  grid = await startGrid(["--credit-delay", "0"]);
  browser = await launchChromium();
  page = await browser.newPage();
});
afterAll(async () => {
  await browser?.close();
  await grid?.end();
});

const volunteer = (id: string): Promise<VolunteerPage> => getJson(`${grid.url}/api/v1.2/volunteers/${id}`);

it("says that there is nobody yet, and how to be the first", async () => {
  await page.goto(`${grid.url}/volunteers`);
  await page.getByTestId("nobody").waitFor();
  await page.getByRole("link", { name: "Be the first" }).click();
  await page.getByTestId("donate-button").waitFor();
});

it("shows what this browser gave, by the name that REST has for it", async () => {
  grid.worker({ own: true });
  await page.getByTestId("donate-button").click();
  await submit(grid, {
    workload_type: "monte_carlo",
    payload: { iterations: 2_000_000_000 },
  });
  await until(
    async () => (await getJson<Leaderboard>(`${grid.url}/api/v1.2/volunteers`)).volunteers.length === 1,
    60_000,
    grid.output,
  );
  await page.getByTestId("stop-button").click();
  await page.getByTestId("identity").locator("summary").click();
  await page.getByRole("link", { name: "What it has given" }).click();
  await page.getByTestId("leaderboard").waitFor();
  const { volunteers } = await getJson<Leaderboard>(`${grid.url}/api/v1.2/volunteers`);
  const id = volunteers[0]?.volunteer_id as string;
  expect(await page.getByTestId("volunteer").getAttribute("data-id")).toBe(id);
  expect(await page.getByTestId("leaderboard").textContent()).toContain("(this browser)");
  const link = page.getByRole("link", { name: "CSV" });
  const csv = await (await fetch(new URL((await link.getAttribute("href")) as string, grid.url))).text();
  expect(csv.split("\r\n")[1]).toMatch(/^20.*,grant,[0-9.]+,/);
}, 120_000);

it("joins a team by a statement that the browser signs, and takes its words back", async () => {
  const id = (await page.getByTestId("volunteer").getAttribute("data-id")) as string;
  await page.getByTestId("team-input").fill("Bees");
  await page.getByTestId("team-save").click();
  await page.getByTestId("told").waitFor();
  expect(await page.getByTestId("told").textContent()).toContain("Saved");
  expect((await volunteer(id)).team).toBe("Bees");
  await page.getByTestId("teams").getByText("Bees").waitFor();
  page.once("dialog", (dialog) => void dialog.accept());
  await page.getByTestId("erase").click();
  await until(async () => (await volunteer(id)).team === null, 10_000);
  expect((await volunteer(id)).core_seconds).toBeGreaterThan(0);
});
