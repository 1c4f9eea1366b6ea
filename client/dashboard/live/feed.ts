/**
 * The live feed of a page: one connection for all dashboards of a browser. Browsers open six connections to a site over
 * HTTP/1.1 and no more, so that with a stream for each tab the seventh would wait for ever, and every click with it.
 */
import { silenceMsMax } from "./connection.ts";
import { FeedHub } from "./hub.ts";
import { leaderFeed } from "./leader.ts";
import { sharedFeed } from "./shared.ts";
import { type Feed, type FeedLink, type FeedListener, tell } from "./words.ts";

const checkMs = 5_000;
/** The keeper tells something twice a second, or within `silenceMsMax` that it hears nothing itself: this is one that is gone. */
const keeperSilenceMsMax = 2 * silenceMsMax;

/** Follows the feed until it is stopped, also over a page's stay in the back/forward cache. */
export function followFeed(on: FeedListener): Feed {
  let feed: Feed | null = null;
  let heardMs = 0;
  let quiet = false;
  let shareable = typeof SharedWorker === "function";
  const heard = <Rest extends unknown[]>(pass: (...rest: Rest) => void): ((...rest: Rest) => void) => {
    return (...rest) => {
      heardMs = Date.now();
      pass(...rest);
    };
  };
  const listener: FeedListener = {
    model: heard(on.model),
    event: heard(on.event),
    link: heard((link: FeedLink) => {
      // Whoever is not signed in hears nothing more until it is.
      quiet = link.state === "signed_out";
      on.link(link);
    }),
  };
  const start = (): void => {
    heardMs = Date.now();
    try {
      feed = follow();
    } catch {
      // Private windows and strict settings may refuse what they seem to have: then a stream of its own.
      feed = ownFeed(listener);
    }
  };
  const follow = (): Feed => {
    if (shareable) {
      return sharedFeed(listener, () => {
        shareable = false;
        start();
      });
    }
    return "locks" in navigator && typeof BroadcastChannel === "function" ? leaderFeed(listener) : ownFeed(listener);
  };
  const restart = (): void => {
    feed?.stop();
    start();
  };
  const timer = setInterval(() => {
    if (quiet || Date.now() - heardMs < keeperSilenceMsMax || document.visibilityState === "hidden") return;
    on.link({ state: "connecting" });
    restart();
  }, checkMs);
  const onHide = (): void => feed?.stop();
  const onShow = (event: PageTransitionEvent): void => {
    if (event.persisted) start();
  };
  addEventListener("pagehide", onHide);
  addEventListener("pageshow", onShow);
  start();
  return {
    renew: () => feed?.renew(),
    stop() {
      clearInterval(timer);
      removeEventListener("pagehide", onHide);
      removeEventListener("pageshow", onShow);
      feed?.stop();
    },
  };
}

/** Where tabs cannot share (no SharedWorker, and plain http has no Web Locks): each has its own, while it is in view. */
function ownFeed(on: FeedListener): Feed {
  const hub = new FeedHub();
  let leave: (() => void) | null = null;
  const look = (): void => {
    if (document.visibilityState === "hidden") {
      leave?.();
      leave = null;
    } else leave ??= hub.join((word) => tell(on, word));
  };
  document.addEventListener("visibilitychange", look);
  look();
  return {
    renew: () => hub.renew(),
    stop() {
      document.removeEventListener("visibilitychange", look);
      leave?.();
    },
  };
}
