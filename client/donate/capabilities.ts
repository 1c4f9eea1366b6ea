/** What a browser tells about its machine. What it does not tell (memory, the CPU's model) is null, never guessed. */
import type { Capabilities } from "../../protocol/messages.ts";

/** `(func (result v128) i32.const 0, i8x16.splat)`: valid only where SIMD is. */
const simdProbe = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
]);

export const hasSimd = (): boolean => WebAssembly.validate(simdProbe);

/** `kernelBytesMax`: memory that one kernel may have. */
export function browserCapabilities(gpu: Capabilities["gpu"], kernelBytesMax: number): Capabilities {
  return {
    kind: "tab",
    software: browserName(navigator.userAgent).slice(0, 500),
    platform: platformName(),
    cpu: { model: null, cores: Math.max(1, navigator.hardwareConcurrency || 1) },
    ramBytes: null,
    kernelBytesMax: Number.isFinite(kernelBytesMax) ? kernelBytesMax : null,
    wasm: { simd: hasSimd(), threads: globalThis.crossOriginIsolated === true },
    gpu,
    accelerators: [],
    engines: [],
  };
}

function platformName(): string | null {
  const data = (navigator as { userAgentData?: { platform?: string } }).userAgentData;
  const name = data?.platform || navigator.platform;
  return name ? name.slice(0, 500) : null;
}

/** "Chrome 156" from a user agent string; the string itself where it is unknown. */
export function browserName(userAgent: string): string {
  const known: [RegExp, string][] = [
    [/ Edg\/(\d+)/, "Edge"],
    [/ OPR\/(\d+)/, "Opera"],
    [/ Firefox\/(\d+)/, "Firefox"],
    [/Chrome\/(\d+)/, "Chrome"],
    [/ Version\/(\d+)[\d.]* .*Safari/, "Safari"],
  ];
  for (const [pattern, name] of known) {
    const found = pattern.exec(userAgent);
    if (found) return `${name} ${found[1]}`;
  }
  return userAgent;
}
