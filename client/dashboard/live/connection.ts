/** One connection to the live feed, kept up with back-off; it resumes after the last event that it saw. */
import type { FeedEvent } from "../../../protocol/rest.ts";
import { ApiError, apiRoot, toApiError } from "../../shared/api.ts";
import { SseParser } from "../../shared/sse.ts";
import type { FeedLink } from "./words.ts";

/** The coordinator sends a comment every 15 s, so a stream that is silent this long is dead. */
export const silenceMsMax = 35_000;
const retryMsMin = 500;
const retryMsMax = 10_000;

export interface ConnectionListener {
  /** `id` is null where the coordinator gave none. */
  event(event: FeedEvent, id: string | null): void;
  link(link: FeedLink): void;
}

export interface FeedConnection {
  stop(): void;
  /** Connects anew at once, and begins with a snapshot: what the caller may see has changed. */
  renew(): void;
}

/** Asks for the stream after an event, or from a snapshot on. */
export type OpenStream = (after: string | null, signal: AbortSignal) => Promise<Response>;

const openLive: OpenStream = (after, signal) =>
  fetch(`${apiRoot}/live`, {
    headers: { Accept: "text/event-stream", ...(after === null ? {} : { "Last-Event-ID": after }) },
    credentials: "same-origin",
    cache: "no-store",
    signal,
  });

/** Follows the feed after event `after` (null: from a snapshot on), until it is stopped. */
export function connectFeed(after: string | null, on: ConnectionListener, open = openLive): FeedConnection {
  let last = after;
  let stopped = false;
  let failures = 0;
  let abort: AbortController | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const attempt = async (): Promise<void> => {
    const mine = new AbortController();
    abort = mine;
    try {
      await readFeed(mine, (signal) => open(last, signal), {
        event(event, id) {
          last = id ?? last;
          failures = 0;
          on.event(event, id);
        },
        link: on.link,
      });
      throw new ApiError(0, "The coordinator closed the feed.", null);
    } catch (error) {
      if (stopped || abort !== mine) return;
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
  const end = (): void => {
    clearTimeout(timer);
    const before = abort;
    abort = null;
    before?.abort();
  };
  on.link({ state: "connecting" });
  void attempt();
  return {
    renew() {
      if (stopped) return;
      end();
      last = null;
      void attempt();
    },
    stop() {
      stopped = true;
      end();
    },
  };
}

async function readFeed(
  abort: AbortController,
  open: (signal: AbortSignal) => Promise<Response>,
  on: ConnectionListener,
): Promise<void> {
  let silence: ReturnType<typeof setTimeout> | undefined;
  let live = false;
  const heard = (): void => {
    clearTimeout(silence);
    silence = setTimeout(() => abort.abort(), silenceMsMax);
  };
  heard();
  try {
    const response = await open(abort.signal);
    if (!response.ok || !response.body) throw toApiError(response.status, await response.json().catch(() => null));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new SseParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || abort.signal.aborted) return;
      heard();
      for (const message of parser.push(value)) {
        const event = JSON.parse(message.data) as FeedEvent;
        if (event.event !== "snapshot" && event.event !== "change") continue;
        on.event(event, message.id);
        // The first event tells whether the feed resumed or began anew: only then do the figures hold.
        if (!live) on.link({ state: "live" });
        live = true;
      }
    }
  } finally {
    clearTimeout(silence);
    abort.abort();
  }
}
