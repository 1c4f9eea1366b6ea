/** Files that open jobs read: whatever their payloads name by a hash, where tasks have inputs of their own. */
import type { CoreState } from "../core/state.ts";

const depthMax = 8;

export function filesInUse(state: CoreState): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { workload, payload } of state.jobs.values()) if (workload.inputs) collect(payload, found, 0);
  return found;
}

function collect(value: unknown, into: Set<string>, depth: number): void {
  if (typeof value === "string") {
    if (/^[0-9a-f]{64}$/.test(value)) into.add(value);
  } else if (value !== null && typeof value === "object" && depth < depthMax) {
    for (const part of Object.values(value)) collect(part, into, depth + 1);
  }
}
