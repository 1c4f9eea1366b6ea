import { afterEach, expect, it, vi } from "vitest";
import { Turns } from "./turn.ts";

afterEach(() => vi.unstubAllGlobals());

/** Without `setImmediate` it is a browser, as far as `Turns` can tell. */
it.each([true, false])("resolves each turn, one after another (setImmediate: %s)", async (immediate) => {
  if (!immediate) vi.stubGlobal("setImmediate", undefined);
  const turns = new Turns();
  for (let turn = 0; turn < 50; turn++) await turns.next();
  turns.close();
});

it("lets timers fire within few turns, however long the work between them", async () => {
  const turns = new Turns();
  let fired = false;
  setTimeout(() => {
    fired = true;
  }, 1);
  for (let turn = 0; turn < 3 && !fired; turn++) {
    const until = performance.now() + 5;
    while (performance.now() < until);
    await turns.next();
  }
  turns.close();
  expect(fired).toBe(true);
});
