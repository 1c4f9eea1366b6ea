/**
 * The native worker's GPU child with real Dawn, on the software driver that comes with Chromium. Installs the pinned
 * package as `--with-gpu` does. Needs no browser.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { leaseMessage } from "../../agent/testing/fixtures.ts";
import { noSoftwareVulkan, softwareVulkan } from "../../kernels/conformance/software-vulkan.ts";
import { installWebGpu } from "../../native-worker/install.ts";
import { WorkerNode } from "../../native-worker/node.ts";
import { expectedPartial, job, startServer, until } from "../../native-worker/testing/server.ts";

const enginesDir = fileURLToPath(new URL("../../.cache/engines", import.meta.url));
const vulkan = softwareVulkan();
const reason = vulkan === null ? noSoftwareVulkan : null;

let dataDir = "";
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "queztl-gpu-"));
  if (reason !== null) return;
  await installWebGpu(enginesDir, true, () => {});
  Object.assign(process.env, vulkan);
}, 120_000);
afterAll(() => rm(dataDir, { recursive: true, force: true }));

const gpuChildren = (): number[] =>
  execFileSync("ps", ["--ppid", String(process.pid), "-o", "pid=,args="], { encoding: "utf8" })
    .split("\n")
    .filter((line) => /native-worker\/main\.ts/.test(line))
    .map((line) => Number.parseInt(line, 10));

it.skipIf(reason !== null)(
  `computes on a GPU, and goes on without it when it was lost twice${reason ? `: ${reason}` : ""}`,
  async () => {
    await using server = await startServer();
    const { coordinator } = server;
    const lastWords = () => [...coordinator.of("fail"), ...coordinator.of("release")];
    const partials = new Map<number, Uint8Array>();
    coordinator.checkPartial = (grain, partial) => void partials.set(grain, partial.slice());
    coordinator.onWelcome = () => coordinator.send(job(), leaseMessage("a", 0, 4, "webgpu"));
    const options = { coordinatorUrl: server.url, threads: 1, dataDir, enginesDir };
    const node = await new WorkerNode({ ...options, allowSoftwareGpu: true }).start();
    await until("the GPU's grains are handed in", () => partials.size === 4, 60_000);
    expect(coordinator.of("hello")[0]).toMatchObject({
      capabilities: {
        gpu: { software: true, vramBytes: null, determinismClass: expect.stringMatching(/^[0-9a-f]{16}$/) },
      },
      preferences: { slots: { wasm: 1, webgpu: 1 } },
    });
    // π is counted in integers, so the shader's tallies are the WASM kernel's.
    expect(new Uint8Array(partials.get(3)!)).toEqual(await expectedPartial(3));

    for (const [lease, lo] of [
      ["b", 100],
      ["c", 1_100],
    ] as const) {
      coordinator.send(leaseMessage(lease, lo, lo + 1_000, "webgpu"));
      await until(`${lease} is computed`, () => node.view!.leases.some((l) => l.lease === lease && l.done > 0), 60_000);
      const children = gpuChildren();
      expect(children).toHaveLength(1);
      process.kill(children[0]!, "SIGKILL");
      await until(`${lease} goes back`, () => lastWords().some((said) => said.lease === lease));
    }
    // The second loss takes the slot along, and what is on it is given back.
    expect(lastWords()).toMatchObject([
      { type: "fail", lease: "b", reason: "device_lost" },
      { type: "release", lease: "c", reason: "slot_lost" },
    ]);
    await until("the coordinator is told", () => coordinator.of("preferences").length > 0);
    expect(coordinator.of("capabilities")).toMatchObject([{ capabilities: { gpu: null } }]);
    expect(coordinator.of("capabilities")[0]?.reason).toMatch(/lost 2 times/);
    expect(coordinator.of("preferences")[0]?.preferences.slots).toEqual({ wasm: 1, webgpu: 0, native: 0 });
    coordinator.send(leaseMessage("d", 3_000, 3_003));
    await until("the CPU goes on", () => partials.has(3_002));
    await node.stop();
    expect(gpuChildren()).toEqual([]);
  },
  180_000,
);

it.skipIf(reason !== null)(
  "takes a software adapter for no GPU where no test allows it",
  async () => {
    await using server = await startServer();
    const said: string[] = [];
    const log = (_code: string, message: string): number => said.push(message);
    const options = { coordinatorUrl: server.url, threads: 1, dataDir, enginesDir, log };
    const node = await new WorkerNode(options).start();
    expect(node.view?.slots).toEqual({ wasm: 1, webgpu: 0, native: 0 });
    expect(said.join("\n")).toContain("Only a software graphics adapter was found");
    await node.stop();
  },
  60_000,
);
