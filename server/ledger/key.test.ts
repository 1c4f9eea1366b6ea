import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { canonical } from "./canonical.ts";
import { loadCoordinatorKey } from "./key.ts";

const folder = mkdtempSync(join(tmpdir(), "queztl-key-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

it("the coordinator's key is made once, is its owner's alone, and stays", async () => {
  const key = await loadCoordinatorKey(join(folder, "a"));
  const file = join(folder, "a", "receipt-key.pem");
  if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
  const again = await loadCoordinatorKey(join(folder, "a"));
  expect(again.publicKey).toBe(key.publicKey);
  expect(again.sign("text")).toEqual(key.sign("text"));
  expect((await loadCoordinatorKey(join(folder, "b"))).publicKey).not.toBe(key.publicKey);
});

it("a damaged key is named, and not replaced", async () => {
  const file = join(folder, "a", "receipt-key.pem");
  writeFileSync(file, "no key");
  await expect(loadCoordinatorKey(join(folder, "a"))).rejects.toThrow(/receipt-key\.pem holds no Ed25519 key/);
  expect(readFileSync(file, "utf8")).toBe("no key");
});

it("canonical JSON has one form", () => {
  // Keys in order of UTF-16 code units, and the numbers of the example in RFC 8785, section 3.2.2.
  const value = {
    peach: "This sorting order",
    péché: "is wrong according to French",
    pêche: "but canonicalization MUST",
    sin: "ignore locale",
  };
  expect(Object.keys(JSON.parse(canonical(value)))).toEqual(["peach", "péché", "pêche", "sin"]);
  const numbers = { numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001] };
  expect(canonical(numbers)).toBe('{"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}');
  expect(canonical({ b: [null, true, { d: undefined, c: "\u20ac$" }], a: -0 })).toBe(
    '{"a":0,"b":[null,true,{"c":"€$"}]}',
  );
});
