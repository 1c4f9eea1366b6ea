/** A browser's identity: one computing tab, kept over reloads, and taken along only when its owner asked for that. */
import { readFileSync } from "node:fs";
import type { Browser, BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { NetworkStatus } from "../../protocol/rest.ts";
import { launchChromium } from "../../scripts/chromium.mjs";
import { lanAddressesBestFirst } from "../../server/first-minutes/addresses.ts";
import { getJson, type RunningGrid, startGrid, until } from "./grid-process.ts";

let grid: RunningGrid;
let browser: Browser;

const online = async (): Promise<string[]> =>
  (await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`)).nodes
    .filter((node) => node.online)
    .map((node) => node.node_id);
async function open(context: BrowserContext, url = grid.url): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.getByTestId("donate-button").waitFor();
  return page;
}
async function nodeOf(page: Page): Promise<string> {
  await page.getByTestId("donate-button").click();
  await until(async () => (await online()).length === 1, 15_000, grid.output);
  const [node] = await online();
  return node as string;
}
async function stop(page: Page): Promise<void> {
  await page.getByTestId("stop-button").click();
  await until(async () => (await online()).length === 0, 3_000);
}

beforeAll(async () => {
  grid = await startGrid();
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await grid?.end();
});

it("a second tab shows the first instead of computing twice, and takes over after it", async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    const calls: true[] = [];
    Object.assign(window, { persistCalls: calls });
    StorageManager.prototype.persist = async () => {
      calls.push(true);
      return true;
    };
  });
  const first = await open(context);
  const asked = (): Promise<number> =>
    first.evaluate(() => (window as never as { persistCalls: true[] }).persistCalls.length);
  expect(await asked()).toBe(0);
  const node = await nodeOf(first);
  // The browser is asked to keep the key, once there is something to keep.
  expect(await asked()).toBe(1);
  const second = await open(context);
  await second.getByTestId("donate-button").click();
  await second.getByTestId("other-tab").waitFor();
  expect(await online()).toEqual([node]);
  expect(second.workers()).toHaveLength(0);
  await second.getByTestId("stop-other").click();
  await until(async () => (await online()).length === 0, 3_000);
  expect(await nodeOf(second)).toBe(node);
  await context.close();
});

it("stays in its browser, unless its owner makes one that can be saved and brings it elsewhere", async () => {
  const home = await browser.newContext();
  const page = await open(home);
  page.on("dialog", (dialog) => void dialog.accept());
  const fixed = await nodeOf(page);
  await stop(page);
  await page.getByTestId("identity").locator("summary").click();
  expect(await page.getByTestId("identity-save").count()).toBe(0);
  const kept = await page.evaluate(async () => {
    const opened = indexedDB.open("queztl");
    await new Promise((resolve) => opened.addEventListener("success", resolve));
    const get = opened.result.transaction("identities").objectStore("identities").get(0);
    await new Promise((resolve) => get.addEventListener("success", resolve));
    opened.result.close();
    const { privateKey } = get.result as { privateKey: CryptoKey };
    return { extractable: privateKey.extractable, fields: Object.keys(get.result).sort() };
  });
  expect(kept).toEqual({ extractable: false, fields: ["privateKey", "publicKey"] });

  await page.getByTestId("identity-portable").click();
  await page.getByTestId("identity-save").waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByTestId("identity-save").click()]);
  const buffer = readFileSync(await download.path());
  const portable = await nodeOf(page);
  expect(portable).not.toBe(fixed);
  await stop(page);
  await home.close();

  const elsewhere = await browser.newContext();
  const other = await open(elsewhere);
  await other.getByTestId("identity").locator("summary").click();
  await other
    .getByTestId("identity-file")
    .setInputFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from("{}") });
  await until(async () => (await other.getByTestId("identity-told").innerText()).includes("no identity"), 2_000);
  await other.getByTestId("identity-file").setInputFiles({ name: "i.json", mimeType: "application/json", buffer });
  await until(async () => (await other.getByTestId("identity").getAttribute("data-portable")) === "true", 3_000);
  expect(await nodeOf(other)).toBe(portable);
  await elsewhere.close();
});

it("comes to another device by a code, once, and the coordinator never sees the key", async () => {
  const home = await browser.newContext();
  const page = await open(home);
  page.on("dialog", (dialog) => void dialog.accept());
  await page.getByTestId("identity").locator("summary").click();
  // An identity that stays in its browser has no code, and the page says why.
  expect(await page.getByTestId("link-add").count()).toBe(0);
  await page.getByTestId("identity-portable").click();
  const sent: string[] = [];
  home.on("request", (request) => {
    if (request.url().includes("identity-links")) sent.push(request.postData() ?? "");
  });
  await page.getByTestId("link-add").click();
  const code = await page.getByTestId("link-code").innerText();
  const seed = await page.evaluate(async () => {
    const opened = indexedDB.open("queztl");
    await new Promise((resolve) => opened.addEventListener("success", resolve));
    const get = opened.result.transaction("identities").objectStore("identities").get(0);
    await new Promise((resolve) => get.addEventListener("success", resolve));
    opened.result.close();
    return [...(get.result as { portable: Uint8Array }).portable];
  });
  expect(sent).toHaveLength(1);
  expect(Object.keys(JSON.parse(sent[0] as string)).sort()).toEqual(["name", "sealed"]);
  const bytes = Buffer.from((JSON.parse(sent[0] as string) as { sealed: string }).sealed, "base64url");
  expect(bytes.includes(Buffer.from(seed))).toBe(false);
  expect(sent[0]).not.toContain(code.replaceAll("-", ""));
  const portable = await nodeOf(page);

  // Over plain http there is no WebCrypto, and the same code still opens it.
  const lan = lanAddressesBestFirst()[0]?.address;
  const elsewhere = await browser.newContext();
  const other = await open(elsewhere, lan === undefined ? grid.url : grid.url.replace("localhost", lan));
  await other.getByTestId("identity").locator("summary").click();
  const type = async (text: string): Promise<void> => {
    if ((await other.getByTestId("link-typed").count()) === 0) await other.getByTestId("link-have").click();
    await other.getByTestId("link-typed").fill(text);
    await other.getByTestId("link-take").click();
    await other.getByTestId("identity-told").waitFor({ timeout: 30_000 });
  };
  const told = (): Promise<string> => other.getByTestId("identity-told").innerText();
  await type("K7QF");
  expect(await told()).toContain("12 letters");
  await type("0000-0000-0000");
  expect(await told()).toContain("wrong, was used, or is older");
  await type(` ${code.toLowerCase()} `);
  expect(await told()).toContain("computes in that name");
  // One device computes in this name at a time: the other one is told, and goes on once the first has stopped.
  await other.getByTestId("donate-button").click();
  await until(async () => (await other.getByTestId("trouble").count()) === 1, 20_000, grid.output);
  expect(await other.getByTestId("trouble").innerText()).toContain("connected from another tab");
  expect(await online()).toEqual([portable]);
  await page.getByTestId("stop-button").click();
  await until(async () => (await other.getByTestId("trouble").count()) === 0, 20_000);
  await until(async () => (await online()).length === 1, 10_000);
  expect(await online()).toEqual([portable]);
  await home.close();
  await stop(other);
  await type(code);
  expect(await told()).toContain("was used");
  await elsewhere.close();
}, 90_000);
