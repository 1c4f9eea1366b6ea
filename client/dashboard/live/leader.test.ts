/** Tabs that elect a leader, over a channel and a lock as browsers have them. */
import { afterEach, expect, test } from "vitest";
import type { ConnectionListener } from "./connection.ts";
import { change, snapshot } from "./fixtures.ts";
import { FeedHub, type Known } from "./hub.ts";
import { type LeaderPorts, leaderFeed } from "./leader.ts";
import type { Feed, FeedWord } from "./words.ts";

/** One lock of a browser: its holders one after the other. */
class FakeLocks {
  readonly #queue: { signal: AbortSignal; run: () => Promise<void> }[] = [];
  #held = false;
  readonly request = ((_name: string, { signal }: LockOptions, run: () => Promise<void>): Promise<void> => {
    return new Promise((resolve) => {
      this.#queue.push({ signal: signal as AbortSignal, run: () => run().then(resolve) });
      this.#next();
    });
  }) as unknown as LockManager["request"];
  #next(): void {
    if (this.#held) return;
    const next = this.#queue.shift();
    if (!next) return;
    if (next.signal.aborted) {
      this.#next();
      return;
    }
    this.#held = true;
    void next.run().then(() => {
      this.#held = false;
      this.#next();
    });
  }
}

const feeds: Feed[] = [];
afterEach(() => {
  for (const feed of feeds.splice(0)) feed.stop();
});
/** Messages between channels need some turns of the loop. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

function browser() {
  const locks = new FakeLocks();
  const opened: { after: string | null; on: ConnectionListener; stopped: boolean; renewed: number }[] = [];
  const channel = `test-${Math.random()}`;
  const hub = (known: Known): FeedHub =>
    new FeedHub(known, (after, on) => {
      const one = { after, on, stopped: false, renewed: 0 };
      opened.push(one);
      return { stop: () => (one.stopped = true), renew: () => one.renewed++ };
    });
  let tabs = 0;
  const open = (): { heard: FeedWord[]; feed: Feed } => {
    const heard: FeedWord[] = [];
    const ports: LeaderPorts = {
      locks,
      channel: new BroadcastChannel(channel) as unknown as LeaderPorts["channel"],
      name: `tab ${tabs++}`,
      hub,
    };
    const feed = leaderFeed(
      {
        model: (model) => heard.push({ type: "model", model, id: null }),
        event: (event, atMs) => heard.push({ type: "event", event, id: null, atMs }),
        link: (link) => heard.push({ type: "link", link }),
      },
      ports,
    );
    feeds.push(feed);
    return { heard, feed };
  };
  return { open, opened };
}
const jobsHeard = (words: FeedWord[]): string[] =>
  words.flatMap((word) => {
    if (word.type === "event") return word.event.jobs.map((job) => job.task_id);
    return word.type === "model" ? [...word.model.jobs.keys()] : [];
  });

test("tabs that start together hear one connection; one that comes later is told once, and alone", async () => {
  const { open, opened } = browser();
  const [first, second] = [open(), open()];
  await settled();
  opened[0]?.on.event(snapshot("a"), "7");
  await settled();
  const third = open();
  await settled();
  opened[0]?.on.event(change("b"), "8");
  await settled();
  expect(opened).toHaveLength(1);
  expect(jobsHeard(first.heard)).toEqual(["a", "b"]);
  expect(jobsHeard(second.heard)).toEqual(["a", "b"]);
  expect(jobsHeard(third.heard)).toEqual(["a", "b"]);
});

test("when the leader goes another goes on where it stopped", async () => {
  const { open, opened } = browser();
  const [first, second, third] = [open(), open(), open()];
  opened[0]?.on.event(snapshot("a"), "7");
  opened[0]?.on.event(change("b"), "8");
  await settled();
  first.feed.stop();
  await settled();
  expect(opened.map(({ after, stopped }) => [after, stopped])).toEqual([
    [null, true],
    ["8", false],
  ]);
  opened[1]?.on.event(change("c"), "9");
  await settled();
  expect(jobsHeard(second.heard).at(-1)).toBe("c");
  expect(jobsHeard(third.heard).at(-1)).toBe("c");
  // One that waits for its turn may go as well.
  second.feed.stop();
  third.feed.stop();
  await settled();
  expect(opened.at(-1)?.stopped).toBe(true);
});

test("a tab that was signed in renews the leader's connection", async () => {
  const { open, opened } = browser();
  const [, second] = [open(), open()];
  await settled();
  second.feed.renew();
  await settled();
  expect(opened[0]?.renewed).toBe(1);
});
