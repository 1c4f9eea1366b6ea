/** The keeper of a browser's one feed, as a SharedWorker: it lives while any dashboard does. */
import { FeedHub } from "./hub.ts";
import type { TabWord } from "./words.ts";

const hub = new FeedHub();

(self as unknown as SharedWorkerGlobalScope).onconnect = ({ ports: [port] }) => {
  if (!port) return;
  let leave = (): void => {};
  port.onmessage = ({ data }: MessageEvent<TabWord>) => {
    if (data.type === "renew") hub.renew();
    else leave();
    if (data.type === "join") leave = hub.join((word) => port.postMessage(word));
  };
  // Where browsers tell of a tab that went without a word.
  port.addEventListener("close", () => leave());
};
