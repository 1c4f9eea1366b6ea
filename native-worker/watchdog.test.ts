import { expect, it } from "vitest";
import { Watchdog } from "./watchdog.ts";

it("ends by lifetime, and by silence that an answer breaks", () => {
  let now = 0;
  const watchdog = new Watchdog({ endAfterMs: 100_000, endIfSilentMs: 10_000, now: () => now });
  const at = (ms: number, online: boolean) => {
    now = ms;
    return watchdog.look(online)?.code ?? null;
  };
  expect(at(9_000, false)).toBeNull();
  expect(at(9_500, true)).toBeNull();
  expect(at(19_000, false)).toBeNull();
  expect(at(19_500, false)).toBe("coordinator_silent");
  expect(at(20_000, true)).toBeNull();
  expect(at(100_000, true)).toBe("lifetime");
});

it("never ends where nobody asked for it", () => {
  let now = 0;
  const watchdog = new Watchdog({ endAfterMs: null, endIfSilentMs: null, now: () => now });
  now = 1e12;
  expect(watchdog.look(false)).toBeNull();
});
