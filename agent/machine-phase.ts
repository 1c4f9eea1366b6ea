/** Moves between phases, and what each allows. */
import type { Preferences } from "../protocol/messages.ts";
import { type AgentState, type Phase, phaseTransitions } from "./machine-state.ts";

const storyMax = 32;
const reconnectMsMin = 500;
const reconnectMsMax = 30_000;

/** Throws on an illegal transition, with the story. */
export function move(state: AgentState, to: Phase, code: string, message: string, remedy = ""): void {
  const allowed: readonly string[] = phaseTransitions[state.phase];
  if (!allowed.includes(to)) {
    throw new Error(`agent: ${state.phase} -> ${to} is not allowed; story: ${state.story.join(" | ")}`);
  }
  state.story.push(`${state.phase} -> ${to} (${code})`);
  if (state.story.length > storyMax) state.story.shift();
  state.phase = to;
  state.reason = { code, message, remedy };
}

/** Whether what is sent reaches a coordinator that knows this node. */
export const canSend = (state: AgentState): boolean =>
  state.phase === "online" || (state.phase === "draining" && state.node !== null);

/** Waits, twice as long after each failure, with jitter, before the next connection. */
export function retryLater(state: AgentState, now: number, entropy: number, code: string, message: string): void {
  const ms = Math.min(reconnectMsMax, reconnectMsMin * 2 ** Math.min(10, state.attempts));
  waitUntil(state, now + ms * (0.5 + entropy), code, message, "");
}

export function waitUntil(state: AgentState, untilMs: number, code: string, message: string, remedy: string): void {
  state.attempts++;
  state.reconnectAtMs = untilMs;
  move(state, "waiting", code, message, remedy || "It reconnects by itself; what was computed is kept.");
}

/** The owner's preferences, less what the machine cannot do now: without a GPU there is no slot on it. */
export function offered(state: AgentState): Preferences {
  const { preferences, capabilities } = state;
  if (capabilities.gpu !== null || preferences.slots.webgpu === 0) return preferences;
  return { ...preferences, slots: { ...preferences.slots, webgpu: 0 } };
}
