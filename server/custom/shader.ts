/** What a researcher's shader declares, and whether it fits the bindings of the grid. It is compiled where there is a GPU. */
import type { VariableInfo } from "wgsl_reflect";
import { paramTypes } from "../../kernels/workloads/custom/payload.ts";
import { shaderLibrary } from "../../kernels/workloads/custom/shader.ts";
import type { Fault, ShaderFacts } from "./messages.ts";

const threadsMax = 256;
const bindings: Record<number, { what: string; access: string }> = {
  0: { what: "params", access: "read" },
  1: { what: "outputs", access: "read_write" },
  3: { what: "inputs", access: "read" },
};

/** The shader as it runs everywhere. */
export const wholeShader = (code: string): string => `${code}\n${shaderLibrary}`;

export async function inspectShader(code: string): Promise<{ shader: ShaderFacts } | { fault: Fault }> {
  const errors: string[] = [];
  let shader: ShaderFacts | null = null;
  try {
    const { WgslReflect } = await import("wgsl_reflect/wgsl_reflect.module.js");
    const seen = new WgslReflect(wholeShader(code));
    const { attributes } = seen.entry.compute.find(({ name }) => name === "main") ?? { attributes: null };
    if (seen.entry.compute.length !== 1 || !attributes)
      errors.push("It must have one compute entry point, named main.");
    const size = threadsOf(attributes?.find(({ name }) => name === "workgroup_size")?.value ?? null);
    if (attributes && size === null)
      errors.push(`@workgroup_size must be one number from 1 to ${threadsMax}, written as such: threads are one row.`);
    if (seen.overrides.length > 0) errors.push("There are no overrides here; use params, or const.");
    const declared = seen.getBindGroups().flat().filter(Boolean);
    for (const binding of declared) if (binding.name !== "queztl_chunk") errors.push(...bindingFaults(binding));
    if (!declared.some(({ group, binding }) => group === 0 && binding === 1))
      errors.push("It declares no outputs: @group(0) @binding(1) var<storage, read_write> output: array<u32>.");
    const params = elementOf(declared.find(({ group, binding }) => group === 0 && binding === 0)) ?? "f32";
    if (!isParamType(params)) errors.push(`The params must be an array of ${paramTypes.join(", ")}.`);
    else if (size !== null) shader = { workgroup_size: size, params };
  } catch (error) {
    errors.push(error instanceof Error ? error.message : String(error));
  }
  if (errors.length === 0 && shader) return { shader };
  return { fault: { field: "code", errors, remedy: "Correct the shader; its bindings are in docs/custom.md." } };
}

function bindingFaults({ name, group, binding, access }: VariableInfo): string[] {
  const known = group === 0 ? bindings[binding] : undefined;
  if (!known) {
    return [
      `${name} is at @group(${group}) @binding(${binding}); there are params at 0, outputs at 1 and inputs at 3, in group 0.`,
    ];
  }
  if (access === known.access) return [];
  return [`${name} holds ${known.what}: declare it var<storage, ${known.access}>.`];
}

/** Threads of a row; null where they are not written as one number. */
function threadsOf(value: string | string[] | null): number | null {
  const [x, ...others] = [value ?? []].flat();
  const threads = Number(x);
  const isRow = others.every((other) => Number(other) === 1);
  return isRow && Number.isInteger(threads) && threads >= 1 && threads <= threadsMax ? threads : null;
}

/** Of an array, as "f32". */
const elementOf = (variable: VariableInfo | undefined): string | undefined =>
  (variable?.type as { format?: { name: string } } | undefined)?.format?.name;

const isParamType = (name: string): name is ShaderFacts["params"] => (paramTypes as readonly string[]).includes(name);
