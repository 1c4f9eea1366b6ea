/** What open jobs still need: nothing of it is swept. */
import type { Catalog } from "../catalog.ts";
import type { CoreState } from "../core/state.ts";

const depthMax = 8;

/** Files that they read: whatever their payloads name by a hash, where tasks have inputs of their own. */
export function filesInUse(state: CoreState): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { workload, payload } of state.jobs.values()) if (workload.inputs) collect(payload, found, 0);
  return found;
}

/** What nodes may be told to fetch: kernels of this build, and of open jobs their kernels, payload and round's input. */
export function blobsInUse(state: CoreState, catalog: Catalog): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { files } of [...catalog.values(), ...state.jobs.values()])
    for (const { sha256 } of Object.values(files)) found.add(sha256);
  for (const { payloadBlob, input } of state.jobs.values()) {
    if (payloadBlob !== null) found.add(payloadBlob);
    if (input !== null) found.add(input);
  }
  return found;
}

function collect(value: unknown, into: Set<string>, depth: number): void {
  if (typeof value === "string") {
    if (/^[0-9a-f]{64}$/.test(value)) into.add(value);
  } else if (value !== null && typeof value === "object" && depth < depthMax) {
    for (const part of Object.values(value)) collect(part, into, depth + 1);
  }
}
