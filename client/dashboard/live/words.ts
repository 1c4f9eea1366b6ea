/** What the keeper of a browser's one feed and the tabs that show it say to each other. Plain data. */
import type { FeedEvent } from "../../../protocol/rest.ts";
import type { Model } from "../model.ts";

export type FeedLink =
  | { state: "connecting" }
  | { state: "live" }
  /** Figures are old; the next attempt is at `retryAtMs`. */
  | { state: "stale"; message: string; retryAtMs: number }
  /** The coordinator wants to know who asks. */
  | { state: "signed_out"; message: string };

/** To the tabs. Times are milliseconds of this device's clock, which its tabs share. */
export type FeedWord =
  /** All that is known, for a tab that comes later. `id`: the last event in it. */
  | { type: "model"; model: Model; id: string | null }
  | { type: "event"; event: FeedEvent; id: string | null; atMs: number }
  | { type: "link"; link: FeedLink };

/** From a tab: it wants the feed, does so no more, or was signed in. */
export type TabWord = { type: "join" } | { type: "leave" } | { type: "renew" };

/** What a page wants of the feed. */
export interface FeedListener {
  /** Replaces all that was known. */
  model(model: Model): void;
  event(event: FeedEvent, atMs: number): void;
  link(link: FeedLink): void;
}

export interface Feed {
  stop(): void;
  /** The owner signed in: connect again, with a new snapshot. */
  renew(): void;
}

export function tell(on: FeedListener, word: FeedWord): void {
  switch (word.type) {
    case "model":
      on.model(word.model);
      return;
    case "event":
      on.event(word.event, word.atMs);
      return;
    case "link":
      on.link(word.link);
  }
}
