/**
 * Researchers' own shaders: tried on an own worker's GPU first, computed by a tab whose owner allowed shaders too, and
 * ended where they hang. Both GPUs are the software driver that comes with Chromium.
 */
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { examples } from "../../client/playground/examples.ts";
import { noSoftwareVulkan, softwareVulkan } from "../../kernels/conformance/software-vulkan.ts";
import { installWebGpu } from "../../native-worker/install.ts";
import type { JobResult, JobView, NetworkStatus } from "../../protocol/rest.ts";
import { launchChromium } from "../../scripts/chromium.mjs";
import { getJson, type RunningGrid, startGrid, submit, until } from "./grid-process.ts";

const enginesDir = fileURLToPath(new URL("../../.cache/engines", import.meta.url));
const vulkan = softwareVulkan();
const reason = vulkan === null ? noSoftwareVulkan : "";

let grid: RunningGrid;
let browser: Browser;

beforeAll(async () => {
  if (reason !== "") return;
  await installWebGpu(enginesDir, true, () => {});
  Object.assign(process.env, vulkan);
  grid = await startGrid();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await grid?.end();
});

const collatz = examples.find(({ language }) => language === "wgsl")?.code as string;
const collatzOf = (number: number): number => {
  let steps = 0;
  for (let n = number; n !== 1; steps++) n = n % 2 === 0 ? n / 2 : 3 * n + 1;
  return steps;
};
const view = (id: string): Promise<JobView> => getJson(`${grid.url}/api/v1.2/workload/${id}`);
const ended = async (id: string, ms: number): Promise<JobView> => {
  await until(async () => !["queued", "running"].includes((await view(id)).status), ms, grid.output);
  return view(id);
};
const outputsOf = async (id: string): Promise<unknown[]> =>
  ((await getJson<JobResult>(`${grid.url}/api/v1.2/workload/${id}/result`)).result as { outputs: unknown[] }).outputs;
const job = (code: string, more: Record<string, unknown> = {}) => ({
  workload_type: "custom",
  payload: { language: "wgsl", code, inputs: { count: 20_000 }, ...more },
});
const online = async () =>
  (await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`)).nodes.filter((node) => node.online);

describe.skipIf(reason !== "")(`shaders of researchers${reason === "" ? "" : `: ${reason}`}`, () => {
  it("go to a tab only once an own node has tried them, and its owner allowed shaders beside own code", async () => {
    browser = await launchChromium({ gpu: true });
    const page = await browser.newPage();
    await page.goto(`${grid.url}/?allow-software-gpu`);
    await page.getByTestId("family-custom").click();
    expect(await page.getByTestId("family-custom_shaders").isChecked()).toBe(false);
    await page.getByTestId("family-custom_shaders").click();
    expect(await page.getByTestId("family-custom_shaders").isChecked()).toBe(false);
    await page.getByTestId("allow-custom_shaders").click();
    expect(await page.getByTestId("family-custom_shaders").isChecked()).toBe(true);
    await page.getByTestId("donate-button").click();
    await until(async () => (await online()).some(({ gpu }) => gpu !== null), 60_000, grid.output);

    const heavy = collatz.replace(
      "var steps = 0u;",
      "var steps = 0u;\n  for (var i = 0u; i < 20000u; i++) { steps = steps * 1664525u + n; }\n  if (steps == 123u) { n = 1u; }\n  steps = 0u;",
    );
    const id = await submit(grid, job(heavy, { inputs: { count: 100_000 }, tasks_per_grain: 1_000 }));
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const before = await view(id);
    expect(before.progress.fraction).toBe(0);
    expect(before.reasons.map(({ code }) => code)).toContain("untried");

    grid.worker({ own: true, args: ["--engines-dir", enginesDir, "--allow-software-gpu"] });
    expect(await ended(id, 120_000)).toMatchObject({ status: "completed" });
    expect((await view(id)).progress.slices_by_node_kind["tab:webgpu"]).toBeGreaterThan(0);
    const outputs = await outputsOf(id);
    expect(outputs).toHaveLength(100_000);
    for (const at of [0, 26, 999, 99_998]) expect(outputs[at]).toBe(collatzOf(at + 1));
    await page.getByTestId("stop-button").click();
  }, 240_000);

  it("read records and numbers, and write several words", async () => {
    const code = `@group(0) @binding(0) var<storage, read> params: array<i32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<storage, read> inputs: array<f32>;
@compute @workgroup_size(32) fn main(@builtin(global_invocation_id) id: vec3u) {
  let at = invocation(id);
  if (is_over(at)) { return; }
  output[2 * at] = inputs[2 * at] + inputs[2 * at + 1];
  output[2 * at + 1] = inputs[2 * at] * f32(params[0]);
}`;
    const numbers = Float32Array.from({ length: 600 }, (_, at) => at / 4);
    const base64 = Buffer.from(numbers.buffer).toString("base64");
    const inputs = { base64, record_bytes: 8 };
    const id = await submit(grid, job(code, { inputs, params: [-3], output: "f32", limits: { output_bytes: 8 } }));
    expect(await ended(id, 60_000)).toMatchObject({ status: "completed" });
    const expected = Array.from({ length: 300 }, (_, at) => [at + 0.25, (-3 * at) / 2 || 0]);
    expect((await outputsOf(id)).map((row) => (row as number[]).map((value) => value || 0))).toEqual(expected);
  }, 90_000);

  it("that do not compile fail their job with the place", async () => {
    const id = await submit(grid, job(collatz.replace("var steps = 0u;", "var steps = 0.5;")));
    const { status, reasons } = await ended(id, 60_000);
    expect(status).toBe("failed");
    expect(reasons[0]?.message).toMatch(/does not compile here.*line \d+, column \d+/s);
  }, 90_000);

  it("that hang are ended, and the same code is not taken for volunteers again", async () => {
    const endless = job(
      collatz.replace(
        "var steps = 0u;",
        "var steps = 0u;\n  loop { steps++; if (steps == 4000000000u && n == 7u) { break; } }",
      ),
      {
        limits: { task_seconds: 0.1 },
      },
    );
    const id = await submit(grid, endless);
    const { status, reasons } = await ended(id, 150_000);
    expect([status, reasons[0]?.message]).toEqual(["failed", expect.stringMatching(/silent|lost/)]);
    await expect(submit(grid, endless)).rejects.toThrow(/422.*failed before, on a node of the grid's own/s);
    await submit(grid, { ...endless, placement: "own" }).then((own) =>
      fetch(`${grid.url}/api/v1.2/workload/${own}`, { method: "DELETE" }),
    );
    expect(await online()).not.toEqual([]);
  }, 200_000);
});
