/**
 * The version of the WebSocket protocol, and who must upgrade.
 *
 * A node and a coordinator understand each other when each one's version is at
 * least the other's minimum. The side that finds the other too old says which
 * side must upgrade; nobody guesses.
 */
export const protocolVersion = 2;

/** The oldest version that this build still speaks. Version 1 signed a hash of all partials, and had no root. */
export const protocolMinimum = 2;

/** The WebSocket path on the coordinator, and the subprotocol that is asked for. */
export const socketPath = "/ws";
/** With the session's `release` token, for what nodes fetch at `/b/`. */
export const sessionHeader = "x-queztl-session";
export const subprotocol = "queztl.v1";

export type Upgrade = "none" | "node" | "coordinator";

/** Decides which side, if any, must be updated before the two can talk. */
export function whoMustUpgrade(
  node: { version: number; minimum: number },
  coordinator: { version: number; minimum: number },
): Upgrade {
  if (node.version < coordinator.minimum) return "node";
  if (coordinator.version < node.minimum) return "coordinator";
  return "none";
}
