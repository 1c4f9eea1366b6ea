/**
 * The one script that all workers of the tab start with; its name says which part it plays. One bundle
 * lets them share what they have in common, which a bundle for each would ship three times.
 */
import type { WorkerRole } from "./worker-roles.ts";

const roles: Record<WorkerRole, () => Promise<unknown>> = {
  "queztl-agent": () => import("./agent.worker.ts"),
  "queztl-compute": () => import("./compute.worker.ts"),
  "queztl-gpu": () => import("./gpu.worker.ts"),
};

/** Messages that arrive while the part is still loading are handed to it afterwards. */
const early: MessageEvent[] = [];
const keep = (event: Event): void => {
  early.push(event as MessageEvent);
};
self.addEventListener("message", keep);

const load = roles[self.name as WorkerRole];
if (!load) throw new Error(`There is no worker "${self.name}".`);
load().then(
  () => {
    self.removeEventListener("message", keep);
    for (const { data, ports } of early) self.dispatchEvent(new MessageEvent("message", { data, ports: [...ports] }));
  },
  (error: unknown) => {
    // Thrown in a task of its own, it reaches the owner's `onerror`.
    setTimeout(() => {
      throw error;
    });
  },
);
