import { expect, it } from "vitest";
import { hostPattern, refusalOf } from "./allowed.ts";

it("allows hosts that were named, with their port where one was", () => {
  const allowed = ["example.org", "127.0.0.1:9000"];
  for (const url of ["https://example.org/hook?a=1", "http://example.org:8080/", "http://127.0.0.1:9000"]) {
    expect([url, refusalOf(url, allowed)]).toEqual([url, null]);
  }
  const others = [
    "https://example.org.evil.example/",
    "http://127.0.0.1/",
    "http://localhost:9000/",
    "http://[::1]:9000/",
  ];
  for (const url of others) expect(refusalOf(url, allowed)?.remedy).toContain("--webhook-host");
});

it("refuses what is no plain http address", () => {
  for (const url of ["", "example.org", "ftp://example.org/", "file:///etc/passwd", "http://user:word@example.org/"]) {
    expect([url, refusalOf(url, ["example.org"])?.why]).toEqual([url, expect.any(String)]);
  }
});

it("takes hosts and ports for patterns, nothing else", () => {
  expect(hostPattern("Example.org")).toBe("example.org");
  expect(hostPattern("127.0.0.1:9000")).toBe("127.0.0.1:9000");
  for (const text of ["", "https://example.org", "example.org/hook", "a@b", "a b"])
    expect(hostPattern(text)).toBeNull();
});
