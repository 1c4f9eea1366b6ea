/** An image through the whole product: uploaded, computed by a tab and a worker, looked at in the dashboard, fetched. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Browser } from "playwright";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connect, GridProblem } from "../../client/sdk/index.ts";
import type { Operation } from "../../kernels/workloads/image_processing/payload.ts";
import { draw } from "../../kernels/workloads/image_processing/picture.ts";
import { payloadOf, process as processed } from "../../kernels/workloads/image_processing/testing.ts";
import type { NetworkStatus } from "../../protocol/rest.ts";
import { launchChromium } from "../../scripts/chromium.mjs";
import { getJson, type RunningGrid, startGrid, until } from "./grid-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "queztl-images-"));
const picture = { width: 900, height: 700, channels: 3, pixels: draw(900, 700, 11) };
let grid: RunningGrid;
let browser: Browser;
let png: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  grid = await startGrid();
  grid.worker({ own: true });
  browser = await launchChromium();
  png = Uint8Array.from(
    await sharp(picture.pixels, { raw: { width: 900, height: 700, channels: 3 } })
      .png()
      .toBuffer(),
  );
});
afterAll(async () => {
  await browser?.close();
  await grid?.end();
  rmSync(folder, { recursive: true, force: true });
});

const rounds: Operation[] = [
  { op: "median", size: 5 },
  { op: "grey" },
  { op: "clahe", grid: 4 },
  { op: "rotate", degrees: 15 },
  { op: "equalize" },
  { op: "canny", low: 80, high: 200 },
];

it("an uploaded picture comes back as the same pipeline makes it in one piece", async () => {
  const page = await browser.newPage();
  await page.goto(grid.url);
  await page.getByTestId("donate-button").click();
  await page.getByTestId("stop-button").waitFor();
  const sdk = connect(grid.url);
  const { blob } = await sdk.upload(png);
  const job = await sdk.submit("image_processing", { image: { blob }, operations: rounds as never });
  const result = await job.result();
  expect(result).toMatchObject({ width: 900, height: 700, channels: 1, rounds: 3, tiles: 48 });
  const { data } = await sharp(await job.file("image.png"))
    .extractChannel(0)
    .raw()
    .toBuffer({ resolveWithObject: true });
  const due = await processed(payloadOf(picture, rounds), picture);
  expect(Buffer.compare(data, due.pixels)).toBe(0);
  // Slow enough that the tab has its part.
  const slow = await sdk.submit("image_processing", { image: { blob }, operations: [{ op: "denoise", strength: 9 }] });
  await slow.result();
  const { nodes } = await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`);
  expect(nodes.filter(({ kind, accepted_slices: slices }) => kind === "tab" && slices > 0)).toHaveLength(1);
  await page.close();
}, 180_000);

it("the dashboard shows it before and after, and its files", async () => {
  const { value: job } = await connect(grid.url).jobs({ workloadType: "image_processing" }).next();
  const page = await browser.newPage();
  await page.goto(`${grid.url}/dashboard`);
  await page
    .locator(`text=${job!.task_id.slice(0, 8)}`)
    .first()
    .click();
  const figure = page.getByTestId("before-after");
  await figure.waitFor();
  const loaded = () =>
    figure
      .locator("img")
      .evaluateAll((images) => (images as HTMLImageElement[]).every(({ naturalWidth }) => naturalWidth === 900));
  await until(loaded, 15_000, grid.output);
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: /image\.png/ }).click();
  const file = await (await download).path();
  expect((await sharp(file).metadata()).width).toBe(900);
  await page.close();
}, 60_000);

it("the dashboard's form uploads a picture and submits", async () => {
  const page = await browser.newPage();
  await page.goto(`${grid.url}/dashboard`);
  await page.getByLabel("Workload").selectOption("image_processing");
  await page.locator("#field-image").selectOption({ label: "blob" });
  const photo = { name: "photo.png", mimeType: "image/png", buffer: Buffer.from(png) };
  await page.getByTestId("upload-field-image.blob").setInputFiles(photo);
  await page.getByText("photo.png is uploaded.").waitFor();
  await page.locator("#field-operations").fill('[{"op": "sobel"}]');
  await page.getByRole("button", { name: "Submit", exact: true }).click();
  const sobel = async (): Promise<boolean> => {
    const { value: job } = await connect(grid.url).jobs({ workloadType: "image_processing" }).next();
    return job?.status === "completed" && JSON.stringify(job.payload).includes("sobel");
  };
  await until(sobel, 30_000, grid.output);
  await page.close();
}, 60_000);

it("from the shell: upload, submit, fetch", async () => {
  const run = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, QUEZTL_URL: grid.url };
    return (await promisify(execFile)(process.execPath, [join(root, "dist/queztl.mjs"), ...args], { cwd: folder, env }))
      .stdout;
  };
  writeFileSync(join(folder, "photo.png"), png);
  const blob = (await run("upload", "photo.png")).trim();
  const payload = JSON.stringify({ image: { blob }, operations: [{ op: "resize", width: 90, height: 70 }] });
  const id = (await run("submit", "image_processing", payload)).trim();
  await run("watch", id);
  await run("file", id, "image.png", "--out", "small.png");
  expect((await sharp(readFileSync(join(folder, "small.png"))).metadata()).width).toBe(90);
});

it("what is no picture is refused with its field", async () => {
  const sdk = connect(grid.url);
  const { blob } = await sdk.upload(new TextEncoder().encode("no picture"));
  const refused = await sdk
    .submit("image_processing", { image: { blob }, operations: [] })
    .catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(GridProblem);
  expect(refused).toMatchObject({ code: "invalid_payload", field: "payload.image.blob" });
  await expect(connect(grid.url).job("nope").file("image.png")).rejects.toMatchObject({ code: "no_such_job" });
});

it("several pictures go through one job, each by itself", async () => {
  const sdk = connect(grid.url);
  const small = { width: 61, height: 40, channels: 3, pixels: draw(61, 40, 4) };
  const raw = { width: 61, height: 40, channels: 3 as const };
  const other = Uint8Array.from(await sharp(small.pixels, { raw }).webp({ lossless: true }).toBuffer());
  const blobs = [(await sdk.upload(png)).blob, (await sdk.upload(other)).blob];
  const operations: Operation[] = [{ op: "grey" }, { op: "equalize" }];
  const job = await sdk.submit("image_processing", { image: { blobs }, operations } as never);
  expect(await job.result()).toMatchObject({ images: [{ width: 900 }, { width: 61, height: 40, channels: 1 }] });
  for (const [at, one] of [picture, small].entries()) {
    const { data } = await sharp(await job.file(`image-${at + 1}.png`))
      .extractChannel(0)
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(Buffer.compare(data, (await processed(payloadOf(one, operations), one)).pixels)).toBe(0);
  }
  const page = await browser.newPage();
  await page.goto(`${grid.url}/dashboard`);
  await page
    .locator(`text=${job.id.slice(0, 8)}`)
    .first()
    .click();
  await page.getByTestId("image").selectOption({ label: "2 of 2" });
  await page.locator('[data-testid="before-after"] img[alt="After"][src*="after-2.webp"]').waitFor();
  await page.close();
}, 120_000);
