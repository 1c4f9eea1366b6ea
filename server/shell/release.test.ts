import { expect, test } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { createMac } from "./mac.ts";
import { releaseToken, sessionOf } from "./release.ts";

const mac = createMac("a secret");
const node = "5f0e2c9a7b3d1846";

test.each(["c9b1e0a2", "with.dots.in.it", "x".repeat(64), "."])("a token says whose it is: session %s", (session) => {
  const token = releaseToken(mac, node, session);
  expect(token.length).toBeLessThanOrEqual(limits.releaseTokenMax);
  expect(sessionOf(mac, token)).toEqual({ node, session });
});

test("no other token is taken", () => {
  const token = releaseToken(mac, node, "session");
  expect(sessionOf(createMac("another secret"), token)).toBeNull();
  for (let at = 0; at < token.length; at++) {
    const changed = token.slice(0, at) + (token[at] === "a" ? "b" : "a") + token.slice(at + 1);
    expect(sessionOf(mac, changed)).toBeNull();
    expect(sessionOf(mac, token.slice(0, at))).toBeNull();
  }
  expect(sessionOf(mac, `${token}a`)).toBeNull();
  expect(sessionOf(mac, "é".repeat(60))).toBeNull();
});
