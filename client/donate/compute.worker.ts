/** One CPU thread of a tab: runs WASM kernels. */
import * as Comlink from "comlink";
import { calibrationRun, type GrainRun, runWasmGrains } from "../../kernels/run/grains.ts";
import { WasmRunner } from "../../kernels/run/wasm.ts";
import type { ComputeApi } from "./compute-api.ts";
import { loadWasm, RunLine } from "./kernel-worker.ts";

const runner = new WasmRunner(loadWasm);
const line = new RunLine();

const run = (grains: GrainRun, onFraction: (fraction: number) => void) =>
  line.run(
    grains,
    (signal) => runWasmGrains(runner, grains, signal, onFraction),
    () => 0,
  );

const api: ComputeApi = {
  run,
  abort: () => line.abort(),
  calibrate: (workload, files) => run(calibrationRun(workload, files), () => {}),
};

Comlink.expose(api);
