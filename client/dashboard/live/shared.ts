/** The tab's side of a feed that a SharedWorker keeps. */
import { type Feed, type FeedListener, type FeedWord, type TabWord, tell } from "./words.ts";

/** `onBroken` is called when the worker cannot be loaded. */
export function sharedFeed(on: FeedListener, onBroken: () => void): Feed {
  const worker = new SharedWorker(new URL("./feed.worker.ts", import.meta.url), {
    type: "module",
    name: "queztl-feed",
  });
  const say = (word: TabWord): void => worker.port.postMessage(word);
  worker.onerror = (event) => {
    event.preventDefault();
    worker.port.close();
    onBroken();
  };
  worker.port.onmessage = ({ data }: MessageEvent<FeedWord>) => tell(on, data);
  say({ type: "join" });
  return {
    renew: () => say({ type: "renew" }),
    stop() {
      say({ type: "leave" });
      // What was said still goes out.
      worker.port.close();
    },
  };
}
