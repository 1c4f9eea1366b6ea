/** The steps of set-up, in their order. Each says when it may be skipped, and how it is done. */
import { join } from "node:path";
import { run } from "./child.mjs";
import { driverKey, driverOutputs, prepareDriver } from "./driver.mjs";
import { installPackages, packagesMatch } from "./packages.mjs";
import { root } from "./paths.mjs";
import { explain } from "./remedy.mjs";
import { hashInputs, isDone, markDone } from "./stamp.mjs";

/**
 * @typedef {object} Step
 * @property {string} name used to choose steps, and for the stamp
 * @property {string} title the line that is printed, e.g. "Building kernels"
 * @property {() => boolean} done
 * @property {(onOutput: (text: string) => void) => Promise<void>} perform
 */

const BUILD_TIMEOUT_MS = 10 * 60_000;

/**
 * A step that runs one of our build programs, skipped while its inputs and outputs are unchanged.
 * @param {{ name: string, title: string, program: string[], inputs: string[], outputs: string[] }} build
 * @returns {Step}
 */
function buildStep({ name, title, program, inputs, outputs }) {
  // The lock file stands for the versions of the tools, the step's own program for their options.
  const key = () => hashInputs([...inputs, "package-lock.json"], program.join(" "));
  return {
    name,
    title,
    done: () => isDone(name, key(), outputs),
    perform: async (onOutput) => {
      // Hashed before the build: a file saved during it makes the next set-up build again.
      const before = key();
      const args = [...program];
      args[0] = join(root, args[0] ?? "");
      const done = await run(process.execPath, args, { onOutput, timeoutMs: BUILD_TIMEOUT_MS });
      if (done.code !== 0) throw explain(title, done.output);
      markDone(name, before, outputs);
    },
  };
}

/** @type {Step[]} */
export const steps = [
  {
    name: "packages",
    title: "Installing packages",
    done: () => packagesMatch(),
    perform: installPackages,
  },
  {
    name: "driver",
    title: "Preparing the SQLite driver",
    done: () => isDone("driver", driverKey(), driverOutputs()),
    perform: async (onOutput) => {
      await prepareDriver(onOutput);
      markDone("driver", driverKey(), driverOutputs());
    },
  },
  buildStep({
    name: "kernels",
    title: "Building kernels",
    program: ["kernels/build.mjs"],
    inputs: ["kernels"],
    outputs: ["dist/kernels"],
  }),
  buildStep({
    name: "workshop",
    title: "Bundling the workshop of researchers' code",
    program: ["scripts/build-workshop.mjs"],
    inputs: ["server/custom", "kernels", "protocol", "scripts/build-workshop.mjs"],
    outputs: ["dist/workshop.mjs"],
  }),
  buildStep({
    name: "worker",
    title: "Bundling the native worker",
    program: ["scripts/build-worker.mjs"],
    inputs: ["native-worker", "agent", "kernels", "protocol", "scripts/build-worker.mjs"],
    outputs: ["dist/worker.mjs"],
  }),
  buildStep({
    name: "cli",
    title: "Bundling the command line and the SDK",
    program: ["scripts/build-cli.mjs"],
    inputs: ["client/cli", "client/sdk", "client/shared/sse.ts", "protocol", "scripts/build-cli.mjs"],
    outputs: ["dist/queztl.mjs", "dist/queztl-sdk.mjs"],
  }),
  buildStep({
    name: "sdk-types",
    title: "Writing the SDK's types",
    program: ["scripts/sdk-types.mjs"],
    inputs: ["client/sdk", "client/shared/sse.ts", "kernels", "protocol", "scripts/sdk-types.mjs"],
    outputs: ["dist/queztl-sdk.d.mts"],
  }),
  buildStep({
    name: "pages",
    title: "Building pages",
    program: ["node_modules/vite/bin/vite.js", "build", "--config", "client/vite.config.ts", "--logLevel", "warn"],
    inputs: ["client", "agent", "kernels", "protocol"],
    outputs: ["dist/client"],
  }),
];
