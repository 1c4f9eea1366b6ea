/** Finds an adapter and opens a device, and says in words what was found. */
export interface GpuFacts {
  name: string;
  vendor: string;
  architecture: string;
  /** A software adapter: slower than the CPU, it counts as no GPU outside tests. */
  software: boolean;
  features: string[];
  limits: Record<string, number>;
}

export type OpenedGpu = { ok: true; device: GPUDevice; facts: GpuFacts } | { ok: false; message: string };

/** Limits that the registry shows and that sizing may use. */
const toldLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
] as const;

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
    return { ok: true, device: await adapter.requestDevice(), facts };
  } catch (error) {
    return {
      ok: false,
      message: `WebGPU could not be opened: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

function factsOf(adapter: GPUAdapter): GpuFacts {
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
    limits: Object.fromEntries(toldLimits.map((name) => [name, adapter.limits[name]])),
  };
}
