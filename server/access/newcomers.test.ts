import { expect, it } from "vitest";
import { networkOf } from "./addresses.ts";
import { Newcomers } from "./newcomers.ts";

it("an address is of a network, which many addresses share", () => {
  expect(networkOf("203.0.113.77")).toBe("203.0.113.0/24");
  expect(networkOf("::ffff:203.0.113.9")).toBe("203.0.113.0/24");
  expect(networkOf("2001:db8:7:1::5")).toBe("2001:db8:7::/48");
  expect(networkOf("2001:0db8:0007:ffff:1:2:3:4")).toBe("2001:db8:7::/48");
  expect(networkOf("2001:db8::1")).toBe("2001:db8:0::/48");
  expect(networkOf("fe80::1")).toBe("fe80:0:0::/48");
  for (const here of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) expect(networkOf(here)).toBe("loopback");
  for (const unknown of ["", "unknown", "300.1.1.1"]) expect(networkOf(unknown)).toBe("");
});

it("a network brings so many new identities in an hour, and no more until time has passed", () => {
  let now = 0;
  const newcomers = new Newcomers(4, () => now);
  for (let count = 0; count < 4; count++) expect(newcomers.admit("a")).toBe(0);
  expect(newcomers.admit("a")).toBe(900);
  expect(newcomers.admit("b")).toBe(0);
  now = 899_000;
  expect(newcomers.admit("a")).toBe(1);
  now = 900_000;
  expect(newcomers.admit("a")).toBe(0);
  expect(newcomers.admit("a")).toBe(900);
  for (let count = 0; count < 50; count++) expect(newcomers.admit("loopback") + newcomers.admit("")).toBe(0);
});
