/**
 * Keeps a browser's one connection to the feed for all of its tabs, and what it told so far: a tab that comes later
 * gets that at once, and nothing is asked of the coordinator for it.
 */
import { applyFeed, emptyModel, type Model } from "../model.ts";
import { type ConnectionListener, connectFeed, type FeedConnection } from "./connection.ts";
import type { FeedLink, FeedWord } from "./words.ts";

/** Tabs told at most; the one that joined first is forgotten, and joins again when it hears nothing. */
export const tabsMax = 256;

export interface Known {
  model: Model;
  /** The last event in `model`. */
  id: string | null;
}
export const nothingKnown: Known = { model: emptyModel, id: null };

type Tell = (word: FeedWord) => void;

export class FeedHub {
  readonly #tabs = new Set<Tell>();
  #link: FeedLink = { state: "connecting" };
  #connection: FeedConnection | null = null;

  /** `known` is what another tab's hub told before this one took over. */
  constructor(
    private known: Known = nothingKnown,
    private readonly connect: (after: string | null, on: ConnectionListener) => FeedConnection = connectFeed,
  ) {}

  /** Tells a tab all that is known, and then what comes, until the answer is called. The first to join connects. */
  join(tell: Tell): () => void {
    const [oldest] = this.#tabs;
    if (this.#tabs.size >= tabsMax && oldest) this.#tabs.delete(oldest);
    this.#tabs.add(tell);
    this.#greet(tell);
    this.#connection ??= this.connect(this.known.id, {
      event: (event, id) => {
        const atMs = Date.now();
        this.known = { model: applyFeed(this.known.model, event, atMs), id };
        this.#tellAll({ type: "event", event, id, atMs });
      },
      link: (link) => {
        this.#link = link;
        this.#tellAll({ type: "link", link });
      },
    });
    return () => {
      this.#tabs.delete(tell);
      if (this.#tabs.size === 0) this.#disconnect();
    };
  }

  /** Tells one tab what is known now. */
  #greet(tell: Tell): void {
    if (this.known.model.status !== null) tell({ type: "model", ...this.known });
    tell({ type: "link", link: this.#link });
  }

  renew(): void {
    this.#connection?.renew();
  }

  #disconnect(): void {
    this.#connection?.stop();
    this.#connection = null;
    this.#link = { state: "connecting" };
  }

  #tellAll(word: FeedWord): void {
    for (const tell of this.#tabs) tell(word);
  }
}
