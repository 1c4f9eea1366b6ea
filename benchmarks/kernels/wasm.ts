/** The product's own kernels through the product's own runner, in this thread. */
import { WasmRunner } from "../../kernels/run/wasm.ts";
import { readKernel } from "./cases.ts";
import { type Contender, timed } from "./contender.ts";

export function wasmContender(simd: boolean): Contender {
  const runner = new WasmRunner(async (sha256) => readKernel(sha256, "wasm"), { simd });
  const { signal } = new AbortController();
  return {
    name: simd ? "WASM SIMD" : "WASM scalar",
    backend: "wasm",
    clock: "cpu",
    share: 1,
    about: `V8 ${process.versions.v8}`,
    run: ({ workload, files, payload, tasks }) =>
      timed(async () => {
        const grain = { workload, files, payload, round: 0, input: null, inputs: null, lo: 0, hi: tasks };
        return (await runner.run(grain, signal)).partial;
      }),
    close: () => {},
  };
}
