/**
 * Kernels that a class of machines gets wrong: a kernel and backend, on one browser or program and one kind of GPU.
 * What fails on several identities of different networks, and was never right on any, is the driver's fault or the
 * compiler's, so the class gets no more of that kernel, and nobody is banned.
 */
import type { CoreState, Job, Node, Result } from "./state.ts";
import { kernelKey, type Trust } from "./trust.ts";

export interface Suspicion {
  nodes: Set<string>;
  networks: Set<string>;
  /** A result of the class passed an audit: the kernel can be right there. */
  proven: boolean;
}

/** Classes that are watched; the oldest is forgotten beyond. */
const classesMax = 1_000;

/** Version numbers come and go; what a driver gets wrong stays for a while. */
export function classOf(node: Node, job: Job, backend: Result["backend"]): string {
  const { kind, software, gpu } = node.capabilities;
  const chip = backend === "webgpu" && gpu ? `${gpu.vendor}/${gpu.architecture}/${gpu.determinismClass ?? ""}` : "";
  return `${kernelKey(job, backend)}|${kind}|${software.slice(0, 100)}|${chip.slice(0, 100)}`;
}

/** Whether two nodes' GPUs may be expected to give the same bits. */
export function isOneClass(a: Node | undefined, b: Node | undefined): boolean {
  const one = a?.capabilities.gpu?.determinismClass;
  return one != null && one === b?.capabilities.gpu?.determinismClass;
}

function suspicionOf(state: CoreState, key: string): Suspicion {
  let suspicion = state.suspicions.get(key);
  if (!suspicion) {
    suspicion = { nodes: new Set(), networks: new Set(), proven: false };
    state.suspicions.set(key, suspicion);
    if (state.suspicions.size > classesMax) state.suspicions.delete(state.suspicions.keys().next().value as string);
  }
  return suspicion;
}

/** A result of a class was wrong in a way that may be the class's. */
export function suspectClass(state: CoreState, job: Job, result: Result, trust: Trust): void {
  const node = state.nodes.get(result.node);
  if (!node) return;
  const suspicion = suspicionOf(state, classOf(node, job, result.backend));
  suspicion.nodes.add(node.id);
  suspicion.networks.add(trust.network);
}

/** A result of a class was right. */
export function clearClass(state: CoreState, job: Job, result: Result): void {
  const node = state.nodes.get(result.node);
  if (!node || result.backend === "wasm") return;
  suspicionOf(state, classOf(node, job, result.backend)).proven = true;
}

export function isQuarantined(state: CoreState, node: Node, job: Job, backend: Result["backend"]): boolean {
  if (state.suspicions.size === 0 || node.own) return false;
  const suspicion = state.suspicions.get(classOf(node, job, backend));
  return suspicion !== undefined && isCondemned(state, suspicion);
}

export const isCondemned = (state: CoreState, { proven, nodes, networks }: Suspicion): boolean =>
  !proven && nodes.size >= state.config.quarantineNodes && networks.size >= Math.min(2, nodes.size);
