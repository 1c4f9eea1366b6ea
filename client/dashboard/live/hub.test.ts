import { expect, test } from "vitest";
import type { ConnectionListener } from "./connection.ts";
import { change, snapshot } from "./fixtures.ts";
import { FeedHub, nothingKnown, tabsMax } from "./hub.ts";
import type { FeedWord } from "./words.ts";

/** A hub whose connections are counted and played by hand. */
function played(known = nothingKnown) {
  const opened: { after: string | null; on: ConnectionListener; stopped: boolean }[] = [];
  const hub = new FeedHub(known, (after, on) => {
    const one = { after, on, stopped: false };
    opened.push(one);
    return {
      stop: () => {
        one.stopped = true;
      },
      renew: () => {},
    };
  });
  return { hub, opened };
}
const tab = (hub: FeedHub): { heard: FeedWord[]; leave: () => void } => {
  const heard: FeedWord[] = [];
  return { heard, leave: hub.join((word) => heard.push(word)) };
};
const kinds = (words: FeedWord[]): string[] => words.map((word) => word.type);

test("one connection for all tabs; who comes later is told what is known", () => {
  const { hub, opened } = played();
  const first = tab(hub);
  opened[0]?.on.event(snapshot("a"), "7");
  opened[0]?.on.link({ state: "live" });
  const second = tab(hub);
  opened[0]?.on.event(change("b"), "8");
  expect(opened).toHaveLength(1);
  expect(kinds(first.heard)).toEqual(["link", "event", "link", "event"]);
  expect(kinds(second.heard)).toEqual(["model", "link", "event"]);
  expect(second.heard[0]).toMatchObject({ id: "7" });
  expect(second.heard[1]).toEqual({ type: "link", link: { state: "live" } });
  const [{ model }] = second.heard as [Extract<FeedWord, { type: "model" }>];
  expect([...model.jobs.keys()]).toEqual(["a"]);
});

test("the connection ends with the last tab, and the next one goes on after the last event", () => {
  const { hub, opened } = played();
  const tabs = [tab(hub), tab(hub)];
  opened[0]?.on.event(snapshot("a"), "7");
  tabs[0]?.leave();
  expect(opened[0]?.stopped).toBe(false);
  tabs[1]?.leave();
  expect(opened[0]?.stopped).toBe(true);
  expect(tab(hub).heard[0]).toMatchObject({ type: "model", id: "7" });
  expect(opened.map(({ after }) => after)).toEqual([null, "7"]);
});

test("a bounded number of tabs is told", () => {
  const { hub, opened } = played();
  const first = tab(hub);
  for (let at = 0; at < tabsMax; at++) tab(hub);
  const before = first.heard.length;
  opened[0]?.on.event(snapshot("a"), "7");
  expect(first.heard).toHaveLength(before);
});
