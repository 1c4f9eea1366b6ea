/**
 * The tab as a node. Socket, heartbeats and every timer live here and not in the page, because browsers
 * throttle the timers of hidden pages but not those of their workers.
 */
import * as Comlink from "comlink";
import type { AgentApi } from "./agent-api.ts";
import { AgentSession } from "./agent-session.ts";
import { avoidEval } from "./jitless.ts";
import { startNestedWorker } from "./worker-roles.ts";

avoidEval();
let session: AgentSession | null = null;

const createCompute = (): Worker => startNestedWorker("queztl-compute");
const createGpu = (): Worker => startNestedWorker("queztl-gpu");

const api: AgentApi = {
  async start(options, onView) {
    session = new AgentSession(options, { createCompute, createGpu }, onView);
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
