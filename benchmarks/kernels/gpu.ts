/** The shaders on Dawn, in a child process: on the machine's adapter, else on the software one that Chromium brings. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { softwareVulkan } from "../../kernels/conformance/software-vulkan.ts";
import type { GrainRun } from "../../kernels/run/grains.ts";
import { hasWebGpuPackage, webGpuPackage } from "../../kernels/run/node-gpu.ts";
import type { Absent, Case, Contender, Timed } from "./contender.ts";
import type { GpuAnswer, Opened } from "./gpu-child.ts";

const name = "WGSL";
const enginesDir = fileURLToPath(new URL("../../.cache/engines", import.meta.url));
const program = fileURLToPath(new URL("gpu-child.ts", import.meta.url));

export async function gpuContender(): Promise<Contender | Absent> {
  if (!hasWebGpuPackage(enginesDir)) {
    const { name: wanted, version, megabytes } = webGpuPackage;
    const install = `npm install --prefix .cache/engines --ignore-scripts --save-exact ${wanted}@${version}`;
    return { name, missing: `Dawn is not installed: ${install} (${megabytes} MB)` };
  }
  const own = await open({});
  if ("child" in own) return contenderOf(own);
  const vulkan = softwareVulkan();
  const second = vulkan ? await open(vulkan) : own;
  return "child" in second ? contenderOf(second) : { name, missing: second.message };
}

interface Open {
  child: ChildProcess;
  adapter: string;
  software: boolean;
}

async function open(environment: Record<string, string>): Promise<Open | { message: string }> {
  const child = fork(program, [enginesDir], {
    execArgv: ["--import", "tsx"],
    serialization: "advanced",
    env: { ...process.env, ...environment },
  });
  const opened = await nextMessage<Opened>(child);
  if ("error" in opened) return { message: opened.error };
  return opened.ok ? { child, adapter: opened.adapter, software: opened.software } : { message: opened.message };
}

/** The child's next message, or that it ended without one. */
async function nextMessage<T>(child: ChildProcess): Promise<T | { error: string }> {
  const stop = new AbortController();
  const { signal } = stop;
  try {
    return await Promise.race([
      once(child, "message", { signal }).then(([message]) => message as T),
      once(child, "exit", { signal }).then(([code, killer]) => ({
        error: `The process on Dawn ended with ${killer ?? `code ${code}`}.`,
      })),
    ]);
  } finally {
    stop.abort();
  }
}

function contenderOf({ child, adapter, software }: Open): Contender {
  return {
    name: software ? "WGSL (software)" : name,
    backend: "webgpu",
    // A software adapter computes on threads of the child: their CPU time is its work.
    clock: software ? "cpu" : "wall",
    share: software ? 1 / 8 : 1,
    about: `${adapter}${software ? ", a software adapter on all cores" : ""}; Dawn of webgpu ${webGpuPackage.version}`,
    run: async (one) => {
      const answer = nextMessage<GpuAnswer>(child);
      child.send(grainRunOf(one));
      const result = await answer;
      if ("error" in result) throw new Error(`${one.name} on ${adapter}: ${result.error}`);
      return result satisfies Timed;
    },
    close: () => child.disconnect(),
  };
}

/** All tasks as one grain. */
function grainRunOf({ workload, files, payload, tasks }: Case): GrainRun {
  return {
    ...{ workload: workload.type, files, payload, round: 0, tasks, grainTasks: tasks },
    ...{ input: null, inputs: null, inputsFirstTask: 0, lo: 0, hi: 1 },
  };
}
