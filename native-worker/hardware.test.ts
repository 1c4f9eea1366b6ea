import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { capabilitiesSchema } from "../protocol/messages.ts";
import { accelerators, describeGpu, describeMachine, type Machine, memoryBytes, thisMachine } from "./hardware.ts";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "queztl-hardware-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function files(entries: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(entries)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}

const machine = (platform: NodeJS.Platform, said: Record<string, string> = {}, arch = "x64"): Machine => ({
  platform,
  arch,
  root,
  run: async (command) => said[command] ?? "",
});

describe("the GPU's name and memory", () => {
  it("come from nvidia-smi", async () => {
    const said = { "nvidia-smi": "NVIDIA GeForce RTX 4090, 24564\nNVIDIA T4, 15360\n" };
    const found = { name: "NVIDIA GeForce RTX 4090", vramBytes: 24_564 * 2 ** 20 };
    for (const platform of ["linux", "win32"] as const)
      expect(await describeGpu(machine(platform, said))).toEqual(found);
  });
  it("come from NVIDIA's driver, without a memory that it does not tell", async () => {
    await files({ "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA A10\nIRQ: 12\n" });
    expect(await describeGpu(machine("linux"))).toEqual({ name: "NVIDIA A10", vramBytes: null });
  });
  it("come from AMD's driver, without a name that it does not tell", async () => {
    await files({
      "sys/class/drm/card0/device/vendor": "0x1af4\n",
      "sys/class/drm/card1/device/mem_info_vram_total": "17163091968\n",
      "sys/class/drm/card1-DP-1/status": "connected\n",
    });
    expect(await describeGpu(machine("linux"))).toEqual({ name: null, vramBytes: 17_163_091_968 });
    await files({ "sys/class/drm/card1/device/product_name": "Radeon PRO W6800\n" });
    expect(await describeGpu(machine("linux"))).toMatchObject({ name: "Radeon PRO W6800" });
  });
  it("come from macOS and Windows, whose figures for memory are not used", async () => {
    const profile = JSON.stringify({ SPDisplaysDataType: [{ sppci_model: "Apple M3 Max" }] });
    expect(await describeGpu(machine("darwin", { system_profiler: profile }, "arm64"))).toEqual({
      name: "Apple M3 Max",
      vramBytes: null,
    });
    const controller = JSON.stringify({ Name: "AMD Radeon RX 7900" });
    expect(await describeGpu(machine("win32", { "powershell.exe": controller }))).toEqual({
      name: "AMD Radeon RX 7900",
      vramBytes: null,
    });
  });
  it.each(["linux", "darwin", "win32", "freebsd"] as const)("are unknown where %s tells nothing", async (platform) => {
    expect(await describeGpu(machine(platform))).toBeNull();
    const nonsense = { "nvidia-smi": "NVIDIA-SMI has failed", system_profiler: "{}", "powershell.exe": "null" };
    expect(await describeGpu(machine(platform, nonsense))).toBeNull();
  });
});

describe("accelerators", () => {
  it.each([
    ["1a6e", "089a"],
    ["18d1", "9302"],
  ])("Coral is found as %s:%s", async (vendor, product) => {
    await files({ "sys/bus/usb/devices/1-1/idVendor": "1d6b\n", "sys/bus/usb/devices/1-1/idProduct": "0002\n" });
    expect(await accelerators(machine("linux"))).toEqual([]);
    await files({
      "sys/bus/usb/devices/2-1/idVendor": `${vendor}\n`,
      "sys/bus/usb/devices/2-1/idProduct": `${product}\n`,
    });
    expect(await accelerators(machine("linux"))).toEqual(["coral-usb"]);
  });
  it("Apple's chips have a Neural Engine, Intel Macs none", async () => {
    expect(await accelerators(machine("darwin", {}, "arm64"))).toEqual(["apple-ane"]);
    expect(await accelerators(machine("darwin", {}, "x64"))).toEqual([]);
  });
});

describe("this machine", () => {
  it("is described as the protocol wants it", async () => {
    const described = await describeMachine("1.2.0");
    expect(capabilitiesSchema.parse(described)).toEqual(described);
    expect(described).toMatchObject({ kind: "native", gpu: null });
  });
  it("has no more memory than its container", async () => {
    expect(await memoryBytes({ root })).toBe(totalmem());
    await files({ "sys/fs/cgroup/memory.max": "max\n" });
    expect(await memoryBytes({ root })).toBe(totalmem());
    await files({ "sys/fs/cgroup/memory.max": "536870912\n" });
    expect(await memoryBytes({ root })).toBe(536_870_912);
  });
  it("takes a program that is missing or fails for one that says nothing", async () => {
    expect(await thisMachine.run("no-such-program-of-queztl", [])).toBe("");
    expect(await thisMachine.run(process.execPath, ["-e", "console.log(1); process.exit(1)"])).toBe("");
    expect(await thisMachine.run(process.execPath, ["-e", "console.log(1)"])).toBe("1\n");
  });
});
