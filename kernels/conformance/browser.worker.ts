/** In Chromium: a dedicated worker that runs what the page posts to it. */
import { type GpuWork, runOnGpu } from "./gpu-requests.ts";

globalThis.onmessage = async (event: MessageEvent<GpuWork>) => {
  globalThis.postMessage(await runOnGpu(navigator.gpu, event.data));
};
