/** What a researcher's module must be before it runs anywhere: WebAssembly that engines agree on, with nothing but our imports. */
import { type ModuleFacts, moduleFacts } from "../../kernels/run/module-facts.ts";
import type { Fault } from "./messages.ts";

const importsAllowed: ReadonlySet<string> = new Set(["queztl.progress", "queztl.random", "env.abort"]);

/** Null where the module may be tried. */
export async function inspect(wasm: Uint8Array, field: string): Promise<Fault | null> {
  const fault = (error: string, remedy: string): Fault => ({ field, errors: [error], remedy });
  let facts: ModuleFacts;
  try {
    facts = moduleFacts(wasm);
  } catch (error) {
    return fault(error instanceof Error ? error.message : String(error), "Send a WebAssembly module, whole.");
  }
  const foreign = facts.imports.filter(({ name, kind }) => kind !== "function" || !importsAllowed.has(name));
  if (foreign.length > 0) {
    const names = foreign.slice(0, 8).map(({ name, kind }) => `${name} (${kind})`);
    const remedy =
      "Nothing but queztl.progress and queztl.random can be imported. In AssemblyScript, Math.random, console and Date import more.";
    return fault(`It imports ${names.join(", ")}.`, remedy);
  }
  const exported = facts.exports;
  const runs =
    exported.get("run") === "function" ||
    ["begin", "step", "output"].every((name) => exported.get(name) === "function");
  if (exported.get("memory") !== "memory" || !runs) {
    return fault("It does not export memory and run.", "Export memory, and run(at, length) or begin, step and output.");
  }
  return (await isDeterministic(wasm))
    ? null
    : fault(
        "It uses instructions whose results differ between engines, threads, or memory beyond 32 bits.",
        "Compile it without relaxed SIMD, threads and memory64.",
      );
}

/** Features whose results engines may choose, or that not all of them have. */
const differing = (features: typeof import("binaryen").default.Features): number =>
  features.RelaxedSIMD | features.Atomics | features.Memory64;

/** Instructions of the features that all engines agree on, as Binaryen knows them. */
async function isDeterministic(wasm: Uint8Array): Promise<boolean> {
  const { default: binaryen } = await import("binaryen");
  const { Features } = binaryen;
  // Its complaints would go to the child's output, where nobody reads them.
  const said = console.warn;
  console.warn = () => {};
  try {
    const module = binaryen.readBinary(wasm);
    module.setFeatures(Features.All & ~differing(Features));
    const valid = module.validate() === 1;
    module.dispose();
    return valid;
  } finally {
    console.warn = said;
  }
}
