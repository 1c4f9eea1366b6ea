/** One connection to the live feed, kept up with back-off; tells whether what it last said still holds. */
import type { FeedEvent } from "../../protocol/rest.ts";
import { ApiError, apiRoot, toApiError } from "../shared/api.ts";
import { SseParser } from "../shared/sse.ts";

export type FeedLink =
  | { state: "connecting" }
  | { state: "live" }
  /** Figures are old; the next attempt is at `retryAtMs`. */
  | { state: "stale"; message: string; retryAtMs: number }
  /** The coordinator wants to know who asks. */
  | { state: "signed_out"; message: string };

/** The coordinator sends a comment every 15 s, so a stream that is silent this long is dead. */
const silenceMsMax = 35_000;
const retryMsMin = 500;
const retryMsMax = 10_000;

export interface FeedListener {
  event(event: FeedEvent): void;
  link(link: FeedLink): void;
}

/** Follows the feed until the returned function is called. */
export function followFeed(on: FeedListener): { stop(): void; retryNow(): void } {
  let stopped = false;
  let failures = 0;
  let abort: AbortController | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const attempt = async (): Promise<void> => {
    abort = new AbortController();
    try {
      await readFeed(abort, on, () => {
        failures = 0;
      });
      throw new ApiError(0, "The coordinator closed the feed.", null);
    } catch (error) {
      if (stopped) return;
      if (error instanceof ApiError && error.needsSignIn) {
        on.link({ state: "signed_out", message: error.message });
        return;
      }
      const retryMs = Math.min(retryMsMax, retryMsMin * 2 ** failures) * (0.75 + Math.random() / 2);
      failures = Math.min(failures + 1, 10);
      const message = error instanceof ApiError ? error.message : "The connection to the coordinator was lost.";
      on.link({ state: "stale", message, retryAtMs: Date.now() + retryMs });
      timer = setTimeout(attempt, retryMs);
    }
  };
  const retryNow = (): void => {
    clearTimeout(timer);
    abort?.abort();
    if (!stopped) setTimeout(attempt, 0);
  };
  on.link({ state: "connecting" });
  void attempt();
  return {
    retryNow,
    stop() {
      stopped = true;
      clearTimeout(timer);
      abort?.abort();
    },
  };
}

async function readFeed(abort: AbortController, on: FeedListener, onLive: () => void): Promise<void> {
  let silence: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    clearTimeout(silence);
    silence = setTimeout(() => abort.abort(), silenceMsMax);
  };
  heard();
  try {
    const response = await fetch(`${apiRoot}/live`, {
      headers: { Accept: "text/event-stream" },
      credentials: "same-origin",
      cache: "no-store",
      signal: abort.signal,
    });
    if (!response.ok || !response.body) throw toApiError(response.status, await response.json().catch(() => null));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new SseParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      for (const message of parser.push(value)) {
        const event = JSON.parse(message.data) as FeedEvent;
        if (event.event !== "snapshot" && event.event !== "change") continue;
        on.event(event);
        if (event.event === "snapshot") {
          onLive();
          on.link({ state: "live" });
        }
      }
    }
  } finally {
    clearTimeout(silence);
    abort.abort();
  }
}
