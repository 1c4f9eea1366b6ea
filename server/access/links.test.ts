import { expect, test } from "vitest";
import { Links, linkMsMax, linksMax } from "./links.ts";

test("what is left is taken once, and only within its time", () => {
  let now = 1_000;
  const links = new Links(() => now);
  expect(links.put("a", "sealed")).toBe(1_000 + linkMsMax);
  expect([links.take("b"), links.take("a"), links.take("a")]).toEqual([null, "sealed", null]);
  links.put("a", "again");
  now += linkMsMax - 1;
  links.put("b", "later");
  now += 1;
  expect([links.take("a"), links.take("b")]).toEqual([null, "later"]);
});

test("a name in use is not overwritten, and there is an end to the room", () => {
  let now = 0;
  const links = new Links(() => now);
  links.put("a", "first");
  expect(links.put("a", "second")).toBeNull();
  for (let at = 0; links.size < linksMax; at++) links.put(`n${at}`, "x");
  expect(links.put("one more", "x")).toBeNull();
  expect(links.take("a")).toBe("first");
  now += linkMsMax;
  expect(links.put("one more", "x")).not.toBeNull();
  expect(links.size).toBe(1);
});
