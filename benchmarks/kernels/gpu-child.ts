/** In a child process: the product's GPU runner on Dawn, one run for each message. Its argument is the engines' folder. */
import { GpuRunner } from "../../kernels/run/gpu.ts";
import { openGpu } from "../../kernels/run/gpu-device.ts";
import type { GrainRun } from "../../kernels/run/grains.ts";
import { loadNodeGpu } from "../../kernels/run/node-gpu.ts";
import { readKernel } from "./cases.ts";
import { type Timed, timed } from "./contender.ts";

export type Opened = { ok: true; adapter: string; software: boolean } | { ok: false; message: string };
export type GpuAnswer = Timed | { error: string };

const opened = await openGpu(await loadNodeGpu(process.argv[2] as string), true);
if (opened.ok) {
  const runner = new GpuRunner(opened.device, async (sha256) => readKernel(sha256, "wgsl"));
  process.on("message", async (run: GrainRun) => {
    const answer: GpuAnswer = await timed(async () => {
      const { partials } = await runner.run(run, new AbortController().signal);
      return partials[0] as Uint8Array;
    }).catch((error: unknown) => ({ error: String(error) }));
    process.send?.(answer);
  });
  const { name, vendor, architecture, software } = opened.facts;
  process.send?.({ ok: true, adapter: `${name} (${vendor} ${architecture})`, software } satisfies Opened);
} else {
  process.send?.(opened satisfies Opened, () => process.exit(0));
}
// Dawn keeps threads: without its parent the process has to end itself.
process.on("disconnect", () => process.exit(0));
