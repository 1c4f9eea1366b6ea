/** In Node: a child process that runs what its parent sends, on Dawn. */
import { loadNodeGpu } from "../run/node-gpu.ts";
import { type GpuWork, runOnGpu } from "./gpu-requests.ts";

process.on("message", async (work: GpuWork) => {
  const report = await runOnGpu(await loadNodeGpu(process.argv[2] as string), work);
  process.send?.(report, () => process.exit(0));
});
