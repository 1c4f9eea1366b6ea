import { describe, expect, it } from "vitest";
import { openGpu } from "./gpu-device.ts";

const offered = {
  maxBufferSize: 2 ** 32,
  maxStorageBufferBindingSize: 2 ** 31,
  maxComputeWorkgroupStorageSize: 65_536,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupsPerDimension: 65_535,
};
/** What a device has that was asked for nothing. */
const modest = {
  maxBufferSize: 2 ** 28,
  maxStorageBufferBindingSize: 2 ** 27,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupsPerDimension: 65_535,
};

interface Machine {
  vendor?: string;
  architecture?: string;
  description?: string;
  isFallbackAdapter?: boolean;
  refusesLimits?: boolean;
  refusesAll?: boolean;
}

/** A GPU object as a browser has it; an adapter whose device was refused is of no more use. */
function machine({ refusesLimits, refusesAll, ...info }: Machine): GPU {
  const adapter = () => {
    let used = false;
    return {
      info: {
        vendor: "nvidia",
        architecture: "ampere",
        description: "",
        device: "",
        isFallbackAdapter: false,
        ...info,
      },
      features: new Set(["shader-f16"]),
      limits: offered,
      requestDevice: async (descriptor?: GPUDeviceDescriptor) => {
        if (used) throw new Error("the adapter is used up");
        used = true;
        if (refusesAll || (refusesLimits && descriptor?.requiredLimits)) throw new Error("refused");
        return {
          features: new Set(descriptor?.requiredFeatures ?? []),
          limits: { ...modest, ...descriptor?.requiredLimits },
        };
      },
    };
  };
  return { requestAdapter: async () => adapter() } as unknown as GPU;
}

describe("opening a GPU", () => {
  it("opens a device with all that the adapter offers", async () => {
    const opened = await openGpu(machine({ description: "GeForce" }), false);
    expect(opened).toMatchObject({ ok: true, device: { limits: offered } });
    expect(opened).toMatchObject({ facts: { name: "GeForce", software: false, features: ["shader-f16"] } });
    expect(opened).toMatchObject({ facts: { limits: offered } });
    expect(opened.ok && opened.device.features.has("shader-f16")).toBe(true);
  });

  it("falls back to the defaults where the driver refuses its own limits, and tells those", async () => {
    const opened = await openGpu(machine({ refusesLimits: true }), false);
    expect(opened).toMatchObject({ ok: true, device: { limits: modest }, facts: { limits: modest } });
  });

  it("says why there is no device", async () => {
    expect(await openGpu(machine({ refusesAll: true }), false)).toMatchObject({
      ok: false,
      message: expect.stringContaining("refused"),
    });
    expect(await openGpu(undefined, false)).toMatchObject({ ok: false, message: "This browser has no WebGPU." });
    const none = { requestAdapter: async () => null } as unknown as GPU;
    expect(await openGpu(none, false)).toMatchObject({ ok: false, message: expect.stringContaining("No graphics") });
  });

  it.each([
    { vendor: "google", architecture: "swiftshader" },
    { vendor: "mesa", description: "llvmpipe (LLVM 15)" },
    { description: "Microsoft Basic Render Driver" },
    { isFallbackAdapter: true },
  ])("takes a software adapter in tests only: %j", async (info) => {
    expect(await openGpu(machine(info), false)).toMatchObject({
      ok: false,
      message: expect.stringContaining("software"),
    });
    expect(await openGpu(machine(info), true)).toMatchObject({ ok: true, facts: { software: true } });
  });
});
