/** From an address to the first accepted slice: how long it takes, and what is transferred, as the browser counts it. */
import { type Chromium, makeProfile, removeProfile, startChromium } from "./browser.ts";
import type { Params, Session } from "./cdp.ts";
import { type Coordinator, startCoordinator } from "./coordinator.ts";
import { openDonor } from "./donor.ts";
import { sleep, waitFor } from "./wait.ts";

export interface FirstSlice {
  /** Milliseconds from the start of the navigation until Donate could be pressed. */
  readyMs: number;
  /** From the navigation, and from the click (which comes as soon as it can), to the first accepted slice. */
  fromUrlMs: number;
  fromClickMs: number;
}

/** As `npm start` on a terminal: with its native worker, which audits, and the demo job for an idle grid. */
const asStarted = ["--demo-job"];

/** A first visit to a coordinator that just started: nothing is cached on either side. */
export async function measureFirstSlice(): Promise<FirstSlice> {
  return visitFresh(async (coordinator, browser) => {
    const donor = await openDonor(browser);
    const startedMs = await donor.visit(coordinator.url);
    const clickedMs = await donor.press("donate-button");
    await accepted(coordinator);
    const acceptedMs = Date.now();
    return {
      readyMs: clickedMs - startedMs,
      fromUrlMs: acceptedMs - startedMs,
      fromClickMs: acceptedMs - clickedMs,
    };
  });
}

async function visitFresh<T>(visit: (coordinator: Coordinator, browser: Chromium) => Promise<T>): Promise<T> {
  const profile = makeProfile();
  const coordinator = await startCoordinator(asStarted);
  const browser = await startChromium(profile);
  try {
    // The native worker starts up by itself: a volunteer comes to a grid that stands.
    await sleep(3_000);
    return await visit(coordinator, browser);
  } finally {
    await browser.end();
    await coordinator.end();
    removeProfile(profile);
  }
}

const accepted = (coordinator: Coordinator): Promise<boolean> =>
  waitFor(
    "a slice of the tab is accepted",
    async () => (await coordinator.tabs()).some(({ accepted_slices }) => accepted_slices > 0),
    60_000,
    20,
  );

export const parts = ["page", "agent", "kernels", "API", "WebSocket"] as const;
export type Part = (typeof parts)[number];

export interface Transfer {
  path: string;
  part: Part;
  /** On the wire, headers included; of the WebSocket the frames' payloads. */
  bytes: number;
  encoding: string;
}

/** What reaches the browser until its first slice is accepted. */
export async function measureTransfer(): Promise<Transfer[]> {
  return visitFresh(async (coordinator, browser) => {
    const donor = await openDonor(browser);
    const transfers: Transfer[] = [];
    await watch(donor.tab, browser.session, transfers);
    await donor.visit(coordinator.url);
    await donor.press("donate-button");
    await accepted(coordinator);
    return transfers;
  });
}

/** Follows the network of a page or worker, and of all workers that it starts, from their first request on. */
async function watch(session: Session, sessionOf: (id: string) => Session, transfers: Transfer[]): Promise<void> {
  const open = new Map<unknown, Omit<Transfer, "bytes">>();
  const answered = ({ requestId, response, type }: Params): void => {
    const { url, headers } = response as { url: string; headers: Record<string, string> };
    const found = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-encoding");
    const path = new URL(url).pathname;
    open.set(requestId, { path, part: partOf(path, String(type)), encoding: found?.[1] ?? "none" });
  };
  session.on("Network.responseReceived", answered);
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const known = open.get(requestId);
    if (known && Number(encodedDataLength) > 0) transfers.push({ ...known, bytes: Number(encodedDataLength) });
  });
  for (const way of ["Received", "Sent"]) {
    session.on(`Network.webSocketFrame${way}`, ({ response }) => {
      const { payloadData, opcode } = response as { payloadData: string; opcode: number };
      const bytes = opcode === 2 ? Buffer.byteLength(payloadData, "base64") : Buffer.byteLength(payloadData);
      transfers.push({ path: `/ws ${way.toLowerCase()}`, part: "WebSocket", bytes, encoding: "none" });
    });
  }
  session.on("Target.attachedToTarget", ({ sessionId }) => {
    const worker = sessionOf(String(sessionId));
    void watch(worker, sessionOf, transfers)
      .catch(() => {})
      .then(() => worker.send("Runtime.runIfWaitingForDebugger"))
      .catch(() => {});
  });
  await session.send("Network.enable");
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: true, flatten: true });
}

/** Chunks that a worker loads are the agent's; those that the page preloads for it count as the page's. */
function partOf(path: string, type: string): Part {
  if (path.startsWith("/k/")) return "kernels";
  if (path.startsWith("/api/")) return "API";
  return /worker|kernel-service/.test(path) && type !== "Stylesheet" ? "agent" : "page";
}
