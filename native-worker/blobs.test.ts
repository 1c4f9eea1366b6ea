import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { HttpBlobs } from "./blobs.ts";

const bytes = Buffer.from("some bytes");
const sha256 = createHash("sha256").update(bytes).digest("hex");
const paths: string[] = [];
let answer: (path: string) => Buffer | number = () => bytes;
let server: Server;
let blobs: HttpBlobs;

beforeEach(async () => {
  paths.length = 0;
  server = createServer((request, response) => {
    paths.push(request.url ?? "");
    const given = answer(request.url ?? "");
    if (typeof given === "number") response.writeHead(given).end();
    // Without a length, as through a proxy: what is read is counted, not what is told.
    else response.write(given, () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  blobs = new HttpBlobs(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

it("fetches by hash, once for all who ask, and keeps it", async () => {
  answer = () => bytes;
  const all = await Promise.all([blobs.blob(sha256, null), blobs.blob(sha256, null)]);
  for (const one of [...all, await blobs.blob(sha256, null)]) expect(Buffer.from(one)).toEqual(bytes);
  expect(paths).toEqual([`/b/${sha256}`]);
});

it("asks for kernels under their own path and name", async () => {
  answer = () => bytes;
  await blobs.kernel(sha256, "wgsl");
  expect(paths).toEqual([`/k/${sha256}.wgsl`]);
});

it("takes no other bytes, and asks again the next time", async () => {
  answer = () => Buffer.from("other bytes");
  await expect(blobs.blob(sha256, null)).rejects.toThrow(/not what its name says/);
  answer = () => 503;
  await expect(blobs.blob(sha256, null)).rejects.toThrow(/answered 503/);
  answer = () => bytes;
  expect(Buffer.from(await blobs.blob(sha256, null))).toEqual(bytes);
});

it("stops reading what is too large", async () => {
  answer = () => Buffer.alloc((64 << 20) + 1);
  await expect(blobs.blob(sha256, null)).rejects.toThrow(/more than 67108864 bytes/);
});
