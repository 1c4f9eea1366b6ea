/**
 * What a GPU objects to, as errors. WebGPU reports failed allocations and invalid calls to error scopes only: without
 * them a kernel would go on, and read back zeros.
 */
import { KernelError, messageOf } from "./errors.ts";

/** Zeroed buffers, or KernelError("out_of_memory") and none at all. */
export async function allocate<Name extends string>(
  device: GPUDevice,
  wanted: Record<Name, GPUBufferDescriptor>,
): Promise<Record<Name, GPUBuffer>> {
  device.pushErrorScope("validation");
  device.pushErrorScope("out-of-memory");
  const made: [string, GPUBuffer][] = [];
  let thrown: unknown = null;
  try {
    for (const [name, descriptor] of Object.entries(wanted))
      made.push([name, device.createBuffer(descriptor as GPUBufferDescriptor)]);
  } catch (error) {
    // Some browsers throw where a buffer is larger than they could ever map.
    thrown = error;
  }
  const [memory, validation] = await popBoth(device);
  const failure = memory ?? validation ?? thrown;
  if (failure === null) return Object.fromEntries(made) as Record<Name, GPUBuffer>;
  for (const [, buffer] of made) buffer.destroy();
  throw new KernelError("out_of_memory", `The GPU has no room for this grain: ${textOf(failure)}`);
}

/** The body's answer, unless the device objected to something in it. */
export async function underErrorScopes<T>(device: GPUDevice, body: () => Promise<T>): Promise<T> {
  device.pushErrorScope("validation");
  device.pushErrorScope("out-of-memory");
  let answer: { value: T } | null = null;
  let thrown: unknown = null;
  try {
    answer = { value: await body() };
  } catch (error) {
    thrown = error;
  }
  const [memory, validation] = await popBoth(device);
  if (thrown instanceof KernelError || (thrown instanceof Error && thrown.name === "AbortError")) throw thrown;
  if (memory) throw new KernelError("out_of_memory", `The GPU has no room for this grain: ${memory.message}`);
  if (validation) throw new KernelError("internal", `The GPU refused a call: ${validation.message}`);
  if (answer === null) throw thrown;
  return answer.value;
}

/** In the order in which they were pushed last. A lost device has no scopes, and is told elsewhere. */
const popBoth = (device: GPUDevice): Promise<[GPUError | null, GPUError | null]> =>
  Promise.all([device.popErrorScope().catch(() => null), device.popErrorScope().catch(() => null)]);

const textOf = (failure: unknown): string =>
  failure !== null && typeof failure === "object" && "message" in failure
    ? String(failure.message)
    : messageOf(failure);
