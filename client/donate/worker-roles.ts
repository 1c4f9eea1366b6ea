export type WorkerRole = "queztl-agent" | "queztl-compute" | "queztl-gpu";

/** From within a worker: another one, from the same script. */
export function startNestedWorker(role: WorkerRole): Worker {
  return new Worker(self.location.href, { type: "module", name: role });
}
