/** "Can this device help?": what the page finds of its browser, and what that means, in words. Pure but for `lookAround`. */
import { hasSimd } from "./capabilities.ts";

export interface Surroundings {
  /** https, or this very machine. */
  secure: boolean;
  host: string;
  cores: number;
  wasm: boolean;
  simd: boolean;
  /** Cross-origin isolated: shared memory, fine timers. */
  isolated: boolean;
  webgpu: boolean;
  /** Whether WebGPU has an adapter; null before that is known. A software adapter is as good as none. */
  adapter: "found" | "software" | "none" | null;
  workers: boolean;
  storage: boolean;
}

export interface HelpRow {
  name: "CPU" | "Graphics processor" | "SIMD" | "Isolation";
  state: "yes" | "less" | "no" | "asking";
  words: string;
}

export interface Help {
  /** Whether the page can compute at all. */
  able: boolean;
  headline: string;
  rows: HelpRow[];
  /** What is missing, why, and the ways out, in one line; "" when nothing that the operator could change. */
  missing: string;
}

export function helpOf(around: Surroundings): Help {
  const obstacle = obstacleOf(around);
  if (obstacle !== null)
    return { able: false, headline: "Not in this browser", rows: [cpuRow(around)], missing: obstacle };
  const gpu = gpuRow(around);
  const headline =
    gpu.state === "yes" ? "Yes: with its processor and its graphics processor" : "Yes: with its processor";
  return {
    able: true,
    headline: gpu.state === "asking" ? "Yes" : headline,
    rows: [cpuRow(around), gpu, simdRow(around), isolationRow(around)],
    missing: around.secure ? "" : insecureWords(around.host),
  };
}

function obstacleOf({ wasm, workers, storage }: Surroundings): string | null {
  if (!wasm) {
    return "WebAssembly is switched off here, as Lockdown Mode on Apple devices and strict security settings of other browsers do, and this page computes with nothing else. Allow it for this site in the browser's settings, or use another browser.";
  }
  if (!workers)
    return "This browser has no background workers, and without them computing would freeze the page. Use a newer browser.";
  if (!storage)
    return "This browser gives the page no storage (IndexedDB), which its identity is kept in. Leave the private window, or allow storage for this site.";
  return null;
}

/** Firefox 153 on Linux was measured to have none. */
export const withWebGpu = "Chrome, Edge and Safari 26 do, and Firefox on Windows and on Macs with Apple processors.";

export const insecureWords = (host: string): string =>
  `CPU only: over plain http browsers withhold the graphics processor (WebGPU), WebCrypto and Web Locks from ${host}. ` +
  "The operator can change that: start with --https, or with --tls-cert and --tls-key, or set QUEZTL_PUBLIC_URL behind a proxy or tunnel.";

function cpuRow({ wasm, cores }: Surroundings): HelpRow {
  if (!wasm) return { name: "CPU", state: "no", words: "WebAssembly is switched off." };
  return {
    name: "CPU",
    state: "yes",
    words: cores === 1 ? "One core, by WebAssembly." : `${cores} cores, by WebAssembly.`,
  };
}

function gpuRow({ secure, webgpu, adapter }: Surroundings): HelpRow {
  const row = (state: HelpRow["state"], words: string): HelpRow => ({ name: "Graphics processor", state, words });
  if (!secure) return row("no", "Browsers offer it on secure pages only: https, or localhost.");
  if (!webgpu) return row("no", `This browser does not offer WebGPU here. ${withWebGpu}`);
  switch (adapter) {
    case null:
      return row("asking", "Looking for it…");
    case "found":
      return row("yes", "Ready, by WebGPU.");
    case "software":
      return row("no", "Only a software adapter, which is slower than the CPU.");
    case "none":
      return row("no", "The browser finds none, or its driver is on the browser's block list.");
  }
}

function simdRow({ simd }: Surroundings): HelpRow {
  return simd
    ? { name: "SIMD", state: "yes", words: "Four numbers at a time." }
    : {
        name: "SIMD",
        state: "less",
        words: "Missing in this browser; the plain kernels are slower. A newer browser has it.",
      };
}

function isolationRow({ secure, isolated }: Surroundings): HelpRow {
  if (isolated) return { name: "Isolation", state: "yes", words: "Shared memory and fine timers." };
  const why = secure ? "The page's headers were changed on the way." : "Plain http.";
  return { name: "Isolation", state: "less", words: `No shared memory: ${why} Everything still works.` };
}

/** What can be told at once; `adapterOf` tells the rest. */
export function lookAround(cores: number): Surroundings {
  const wasm = typeof WebAssembly === "object" && typeof WebAssembly.validate === "function";
  return {
    secure: globalThis.isSecureContext === true,
    host: location.hostname,
    cores,
    wasm,
    simd: wasm && hasSimd(),
    isolated: globalThis.crossOriginIsolated === true,
    webgpu: "gpu" in navigator,
    adapter: null,
    workers: typeof Worker === "function",
    storage: typeof indexedDB === "object" && indexedDB !== null,
  };
}

/** Asks for an adapter, but opens no device: that happens once the owner donates. Never rejects. */
export async function adapterOf(allowSoftware: boolean): Promise<"found" | "software" | "none"> {
  try {
    const adapter = await navigator.gpu.requestAdapter();
    if (!adapter) return "none";
    const fallback = (adapter.info as GPUAdapterInfo & { isFallbackAdapter?: boolean }).isFallbackAdapter ?? false;
    return fallback && !allowSoftware ? "software" : "found";
  } catch {
    return "none";
  }
}
