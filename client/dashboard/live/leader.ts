/**
 * One tab keeps the feed for all, where there is no SharedWorker: the one that holds a Web Lock. The others hear it by
 * BroadcastChannel and wait for the lock; whoever gets it next goes on after the last event that it heard.
 */
import { applyFeed } from "../model.ts";
import { FeedHub, type Known, nothingKnown } from "./hub.ts";
import { type Feed, type FeedListener, type FeedWord, tell } from "./words.ts";

const lockName = "queztl-feed";
const channelName = "queztl-feed";

/** `to` names the tab that a word is for; words without it are for all. */
type Said = { type: "join"; from: string } | { type: "renew" } | (FeedWord & { to?: string });

export interface LeaderPorts {
  locks: Pick<LockManager, "request">;
  channel: Pick<BroadcastChannel, "postMessage" | "close" | "onmessage">;
  /** A name that no other tab has. */
  name: string;
  hub(known: Known): Pick<FeedHub, "join" | "renew">;
}

export const browserPorts = (): LeaderPorts => ({
  locks: navigator.locks,
  channel: new BroadcastChannel(channelName),
  name: crypto.randomUUID(),
  hub: (known) => new FeedHub(known),
});

export function leaderFeed(on: FeedListener, { locks, channel, name, hub }: LeaderPorts = browserPorts()): Feed {
  let known = nothingKnown;
  let leading: Pick<FeedHub, "join" | "renew"> | null = null;
  const waiting = new AbortController();
  let release = (): void => {};

  const hear = (word: FeedWord): void => {
    if (word.type === "model") known = { model: word.model, id: word.id };
    if (word.type === "event") known = { model: applyFeed(known.model, word.event, word.atMs), id: word.id };
    tell(on, word);
  };
  const lead = (): Promise<void> => {
    leading = hub(known);
    const leave = leading.join((word) => {
      hear(word);
      channel.postMessage(word satisfies Said);
    });
    return new Promise((resolve) => {
      release = () => {
        leave();
        leading = null;
        resolve();
      };
    });
  };
  channel.onmessage = ({ data }: MessageEvent<Said>) => {
    if (data.type === "join") {
      // The newcomer is told what every tab knows, by joining and leaving at once.
      leading?.join((word) => channel.postMessage({ ...word, to: data.from } satisfies Said))();
    } else if (data.type === "renew") leading?.renew();
    else if (!leading && isFor(data, name, known)) hear(data);
  };
  channel.postMessage({ type: "join", from: name } satisfies Said);
  locks.request(lockName, { signal: waiting.signal }, lead).catch((error: unknown) => {
    if (!waiting.signal.aborted) throw error;
  });
  return {
    renew() {
      if (leading) leading.renew();
      else channel.postMessage({ type: "renew" } satisfies Said);
    },
    stop() {
      waiting.abort();
      release();
      channel.onmessage = null;
      channel.close();
    },
  };
}

/** Changes mean nothing to a tab that does not know yet what they change. */
function isFor(word: FeedWord & { to?: string }, name: string, known: Known): boolean {
  if (word.to !== undefined) return word.to === name;
  return word.type !== "event" || word.event.event === "snapshot" || known.model.status !== null;
}
