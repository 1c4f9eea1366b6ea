/**
 * The tab as a node. Socket, heartbeats and every timer live here and not in the page, because browsers
 * throttle the timers of hidden pages but not those of their workers.
 */
import * as Comlink from "comlink";
import type { AgentApi } from "./agent-api.ts";
import { AgentSession } from "./agent-session.ts";
import { avoidEval } from "./jitless.ts";
import { askForWorker, type ComputeWorker, canNest, startNestedWorker, type WorkerRole } from "./worker-roles.ts";

avoidEval();
let session: AgentSession | null = null;

const api: AgentApi = {
  async start(options, onView, maker) {
    const nested = canNest() && !options.pageMadeWorkers;
    const start = (role: WorkerRole): ComputeWorker => (nested ? startNestedWorker(role) : askForWorker(maker, role));
    const workers = { createCompute: () => start("queztl-compute"), createGpu: () => start("queztl-gpu") };
    session = new AgentSession(options, workers, onView);
    await session.start();
  },
  async setChoices(choices) {
    await session?.setChoices(choices);
  },
  async stop() {
    await session?.stop();
  },
};
Comlink.expose(api);
