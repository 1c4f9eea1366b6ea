import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { bestEncoding, encode } from "./encoding.ts";

test.each([
  ["gzip, deflate, br, zstd", "br"],
  ["gzip, deflate", "gzip"],
  ["br;q=0, gzip;q=0.5", "gzip"],
  ["GZIP ; Q=1.0", "gzip"],
  ["*", "br"],
  ["*;q=0.1, br;q=0", "gzip"],
  ["identity", "identity"],
  ["gzip;q=nonsense", "identity"],
  ["", "identity"],
  [undefined, "identity"],
])("%s: %s", (accepted, best) => expect(bestEncoding(accepted)).toBe(best));

test("text becomes smaller and comes back; what would grow is left alone", async () => {
  const text = new TextEncoder().encode("the same again and again ".repeat(200));
  expect(brotliDecompressSync((await encode(text, "br")) as Uint8Array)).toEqual(Buffer.from(text));
  expect(gunzipSync((await encode(text, "gzip")) as Uint8Array)).toEqual(Buffer.from(text));
  expect(await encode(text, "identity")).toBeNull();
  expect(await encode(text.subarray(0, 100), "br")).toBeNull();
  const noise = crypto.getRandomValues(new Uint8Array(4_000));
  expect([await encode(noise, "br"), await encode(noise, "gzip")]).toEqual([null, null]);
});
