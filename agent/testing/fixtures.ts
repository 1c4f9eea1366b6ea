/** Messages and seeds that tests of the agent share. */
import { createHash } from "node:crypto";
import type {
  Backend,
  Capabilities,
  JobDescription,
  LeaseMessage,
  Preferences,
  Slots,
} from "../../protocol/messages.ts";
import type { AgentSeed } from "../machine.ts";

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

export const gpu: NonNullable<Capabilities["gpu"]> = {
  name: "test GPU",
  vendor: "test",
  architecture: "test",
  software: true,
  vramBytes: null,
  features: [],
  limits: {},
};

export const capabilities: Capabilities = {
  kind: "native",
  software: "test",
  platform: null,
  cpu: { model: null, cores: 2 },
  ramBytes: null,
  wasm: { simd: true, threads: true },
  gpu,
  accelerators: [],
  engines: [],
};

export const preferences = (slots: Partial<Slots> = { wasm: 1 }): Preferences => ({
  slots: { wasm: 0, webgpu: 0, native: 0, ...slots },
  families: ["simulation"],
  name: null,
});

export const seed = (slots?: Partial<Slots>): AgentSeed => ({
  session: "session-1",
  publicKey: new Uint8Array(32),
  joinToken: null,
  capabilities,
  preferences: preferences(slots),
});

/** The one file of the test kernel, and the hash of the set. */
export const build = sha256("a kernel file");
export const kernelFiles = { "wasm-simd": { sha256: build, bytes: 13 } };
export const kernel = sha256(JSON.stringify(kernelFiles));

export const jobMessage = (job = "job-1", round = 0): JobDescription => ({
  type: "job",
  job,
  round,
  workload: "test",
  kernel,
  files: kernelFiles,
  payload: { inline: {} },
  input: null,
  tasks: 10_240,
  grainTasks: 10,
});

export const leaseMessage = (
  lease: string,
  lo: number,
  hi: number,
  backend: Backend = "wasm",
  job = "job-1",
): LeaseMessage => ({ type: "lease", lease, ticket: `t-${lease}`, job, round: 0, lo, hi, backend, deadlineMs: 30_000 });

/** A partial that names its grain. */
export function partialOf(grain: number, bytes = 4): Uint8Array {
  const partial = new Uint8Array(bytes);
  new DataView(partial.buffer).setUint32(0, grain, true);
  return partial;
}

export const grainOf = (partial: Uint8Array): number =>
  new DataView(partial.buffer, partial.byteOffset, partial.byteLength).getUint32(0, true);
