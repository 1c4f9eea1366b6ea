/** Tabs of one browser, over a real BroadcastChannel; locks are stubbed where a test says so. */
import { afterEach, expect, test, vi } from "vitest";
import { type OtherTab, Presence } from "./presence.ts";
import { stoppedView } from "./view.ts";

const tabs: Presence[] = [];
function tab(): { presence: Presence; others: (OtherTab | null)[]; stops: () => number } {
  const others: (OtherTab | null)[] = [];
  let stops = 0;
  const presence = new Presence({ other: (other) => others.push(other), stop: () => void stops++ });
  tabs.push(presence);
  return { presence, others, stops: () => stops };
}
afterEach(() => {
  for (const each of tabs.splice(0)) each.close();
  vi.unstubAllGlobals();
});

/** As the browser has them: one holder for each name. */
function stubLocks(): void {
  const held = new Set<string>();
  const request = async (name: string, _options: unknown, work: (lock: object | null) => unknown): Promise<void> => {
    if (held.has(name)) return void (await work(null));
    held.add(name);
    await work({});
    held.delete(name);
  };
  vi.stubGlobal("navigator", { locks: { request } });
}

test.each([["with locks"], ["without"]])(
  "%s: the second tab shows the first, may stop it, and takes over after it",
  async (locks) => {
    if (locks === "with locks") stubLocks();
    else vi.stubGlobal("navigator", {});
    const first = tab();
    expect(await first.presence.enter()).toBe(true);
    first.presence.tell({ ...stoppedView, phase: "computing", accepted: 7 });

    const second = tab();
    expect(await second.presence.enter()).toBe(false);
    await vi.waitFor(() => expect(second.others.at(-1)?.view).toMatchObject({ phase: "computing", accepted: 7 }));
    second.presence.stopOther();
    await vi.waitFor(() => expect(first.stops()).toBe(1));
    expect(second.stops()).toBe(0);

    first.presence.leave();
    await vi.waitFor(() => expect(second.others.at(-1)).toBeNull());
    expect(await second.presence.enter()).toBe(true);
  },
);

test("a frozen tab holds its lock and does not answer: it is shown as such", async () => {
  stubLocks();
  const frozen = tab();
  await frozen.presence.enter();
  const second = tab();
  expect(await second.presence.enter()).toBe(false);
  expect(second.others.at(-1)).toMatchObject({ view: null });
});
