import { expect, test } from "vitest";
import { Turnstile } from "./turnstile.ts";

const never = new AbortController().signal;

test("so many at a time, the others in the order in which they came", async () => {
  const turnstile = new Turnstile(2, 10);
  const leave = [await turnstile.enter(never), await turnstile.enter(never)];
  const came: number[] = [];
  const waiting = [0, 1, 2].map(async (who) => {
    const out = await turnstile.enter(never);
    came.push(who);
    return out;
  });
  expect(turnstile.waiting).toBe(3);
  leave[0]!();
  leave[0]!();
  (await waiting[0]!)();
  await waiting[1];
  expect(came).toEqual([0, 1]);
  leave[1]!();
  await waiting[2];
  expect(came).toEqual([0, 1, 2]);
});

test("a full line turns away, and who gives up makes room in it", async () => {
  const turnstile = new Turnstile(1, 1);
  const leave = await turnstile.enter(never);
  const impatient = new AbortController();
  const waiting = turnstile.enter(impatient.signal);
  await expect(turnstile.enter(never)).rejects.toThrow("full");
  impatient.abort();
  await expect(waiting).rejects.toThrow("gone");
  await expect(turnstile.enter(impatient.signal)).rejects.toThrow("gone");
  const next = turnstile.enter(never);
  leave();
  (await next)();
  expect(turnstile.waiting).toBe(0);
});
