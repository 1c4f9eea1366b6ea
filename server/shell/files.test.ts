/** What is swept, and what open jobs and this build still need. */
import { expect, test } from "vitest";
import { MemoryBlobs } from "../blobs/memory.ts";
import { sweepBlobs } from "../blobs/sweep.ts";
import type { Catalog } from "../catalog.ts";
import { createState } from "../core/grid.ts";
import type { Job } from "../core/state.ts";
import { blobsInUse, filesInUse } from "./files.ts";

test("kernels, payloads and inputs of open jobs stay, and the rest goes once it is old", async () => {
  const blobs = new MemoryBlobs();
  const put = (byte: number): Promise<string> => blobs.put(Uint8Array.of(byte));
  const [kernel, module, payloadBlob, input, left] = await Promise.all([1, 2, 3, 4, 5].map(put));
  const state = createState();
  const job = { files: { "wasm-scalar": { sha256: module, bytes: 1 } }, payloadBlob, input, workload: {}, payload: {} };
  state.jobs.set("j", job as unknown as Job);
  const catalog = new Map([["w", { files: { wgsl: { sha256: kernel, bytes: 1 } } }]]) as unknown as Catalog;
  const inUse = blobsInUse(state, catalog);
  expect(await sweepBlobs(blobs, Date.now() - 1_000, inUse)).toBe(0);
  expect(await sweepBlobs(blobs, Date.now() + 1_000, inUse)).toBe(1);
  expect(await blobs.has(left as string)).toBe(false);
  for (const kept of [kernel, module, payloadBlob, input]) expect(await blobs.has(kept as string)).toBe(true);
});

test("files are those that payloads of workloads with inputs name", () => {
  const state = createState();
  const name = "a".repeat(64);
  const job = (inputs: boolean, payload: unknown) =>
    ({ workload: inputs ? { inputs: () => null } : {}, payload }) as unknown as Job;
  state.jobs.set("a", job(true, { image: { blob: name }, deep: [{ x: "b".repeat(64) }], text: "no name" }));
  state.jobs.set("b", job(false, { blob: "c".repeat(64) }));
  expect([...filesInUse(state)].sort()).toEqual([name, "b".repeat(64)]);
});
