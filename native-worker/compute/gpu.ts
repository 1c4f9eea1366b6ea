/** The GPU child: runs WGSL kernels through Dawn, in a process that can be killed. */
import type { FromCompute } from "./messages.ts";

/** Serves the parent until it goes away. */
export async function serveGpu(): Promise<void> {
  const post = (message: FromCompute): void => {
    process.send?.(message);
  };
  post({ type: "ready", gpu: null, message: "no GPU" });
}
