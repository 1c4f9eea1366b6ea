/** One CPU thread: runs WASM kernels. */
import { runWasmGrains } from "../../kernels/run/grains.ts";
import { WasmRunner } from "../../kernels/run/wasm.ts";
import { avoidEval } from "./jitless.ts";
import { KernelService } from "./kernel-service.ts";
import { fetchByHash } from "./ports.ts";
import { serve } from "./worker-roles.ts";

avoidEval();
const runner = new WasmRunner((sha256) => fetchByHash(`/k/${sha256}.wasm`, sha256), {
  duty: () => service.duty,
  stopped: () => service.stopped,
  memoryBytesMax: () => service.memoryBytesMax,
});
const service: KernelService = new KernelService((run, signal, onProgress, onSaved) =>
  runWasmGrains(runner, run, signal, (fraction) => onProgress({ grain: fraction, request: fraction }), onSaved),
);
serve(service);
