/** Finds an adapter and opens a device, and says in words what was found. */
import { determinismClass } from "./gpu-class.ts";

export interface GpuFacts {
  name: string;
  vendor: string;
  architecture: string;
  /** A software adapter: slower than the CPU, it counts as no GPU outside tests. */
  software: boolean;
  features: string[];
  /** Devices of one class may be expected to give the same bits; null where it is unknown. */
  determinismClass: string | null;
  /** Those of the opened device. */
  limits: Record<string, number>;
}

export type OpenedGpu = { ok: true; device: GPUDevice; facts: GpuFacts } | { ok: false; message: string };

/** Limits that the registry shows and that sizing may use: asked for as far as the adapter goes. */
const toldLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
] as const;

/** What shaders may use where the adapter has it. */
const usedFeatures: readonly GPUFeatureName[] = ["shader-f16"];

/** `gpu` is `navigator.gpu`, or Dawn's in Node. Never rejects. */
export async function openGpu(gpu: GPU | undefined, allowSoftware: boolean): Promise<OpenedGpu> {
  if (!gpu) return { ok: false, message: "This browser has no WebGPU." };
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return { ok: false, message: "No graphics adapter is available to WebGPU." };
    const facts = factsOf(adapter);
    if (facts.software && !allowSoftware) {
      return { ok: false, message: "Only a software graphics adapter was found, which is slower than the CPU." };
    }
    const device = await openDevice(gpu, adapter);
    return {
      ok: true,
      device,
      facts: { ...facts, determinismClass: await determinismClass(device), limits: limitsOf(device.limits) },
    };
  } catch (error) {
    return {
      ok: false,
      message: `WebGPU could not be opened: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

/**
 * A device gives WebGPU's modest defaults unless more is asked for. A driver that offers limits and then refuses them
 * is asked again without, through a new adapter: one that was tried may be used up.
 */
async function openDevice(gpu: GPU, adapter: GPUAdapter): Promise<GPUDevice> {
  try {
    const requiredFeatures = usedFeatures.filter((feature) => adapter.features.has(feature));
    return await adapter.requestDevice({ requiredFeatures, requiredLimits: limitsOf(adapter.limits) });
  } catch (error) {
    const again = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!again) throw error;
    return again.requestDevice();
  }
}

const limitsOf = (limits: GPUSupportedLimits): Record<string, number> =>
  Object.fromEntries(toldLimits.map((name) => [name, limits[name]]));

function factsOf(adapter: GPUAdapter): Omit<GpuFacts, "limits" | "determinismClass"> {
  const { vendor, architecture, description, device } = adapter.info;
  const info = adapter.info as GPUAdapterInfo & { isFallbackAdapter?: boolean };
  const fallback = info.isFallbackAdapter ?? (adapter as { isFallbackAdapter?: boolean }).isFallbackAdapter ?? false;
  const words = `${vendor} ${architecture} ${description} ${device}`.toLowerCase();
  return {
    name: (description || device || `${vendor} ${architecture}`).trim().slice(0, 200) || "GPU",
    vendor: vendor.slice(0, 200),
    architecture: architecture.slice(0, 200),
    software: fallback || /swiftshader|lavapipe|llvmpipe|software|warp|basic render/.test(words),
    features: [...adapter.features].map(String).slice(0, 64),
  };
}
