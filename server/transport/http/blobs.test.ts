/** Blobs over HTTP: whole, in part, for many at a time, and never as a page of this origin. */
import { request } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await testServer();
});
afterEach(() => server.close());

const bytes = new Uint8Array(200_001).map((_, at) => (at * 31 + (at >> 8)) & 255);

test("a blob is saved, not shown, and is kept for ever", async () => {
  const sha256 = server.grid.addFile(bytes);
  const answer = await server.ask(`/b/${sha256}`);
  expect(answer.status).toBe(200);
  expect(Buffer.compare(new Uint8Array(await answer.arrayBuffer()), bytes)).toBe(0);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    "content-type": "application/octet-stream",
    "content-length": "200001",
    "content-disposition": `attachment; filename="${sha256}"`,
    "content-security-policy": expect.stringContaining("sandbox"),
    "x-content-type-options": "nosniff",
    "cache-control": expect.stringContaining("immutable"),
    "accept-ranges": "bytes",
    etag: `"${sha256}"`,
  });
  const again = await server.ask(`/b/${sha256}`, { headers: { "if-none-match": `"${sha256}"` } });
  expect([again.status, await again.text()]).toEqual([304, ""]);
  const head = await server.ask(`/b/${sha256}`, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "200001", ""]);
  for (const path of [`/b/${"0".repeat(64)}`, `/b/${sha256.toUpperCase()}`, "/b/..%2f..%2fetc%2fpasswd"]) {
    expect([path, (await server.ask(path)).status]).toEqual([path, 404]);
  }
});

test.each([
  ["bytes=0-0", 0, 1],
  ["bytes=100-199", 100, 200],
  ["bytes=200000-", 200_000, 200_001],
  ["bytes=-5", 199_996, 200_001],
  ["bytes=65535-65537", 65_535, 65_538],
  ["bytes=199990-999999", 199_990, 200_001],
])("%s", async (range, lo, hi) => {
  const sha256 = server.grid.addFile(bytes);
  const answer = await server.ask(`/b/${sha256}`, { headers: { range } });
  expect([answer.status, answer.headers.get("content-range")]).toEqual([206, `bytes ${lo}-${hi - 1}/200001`]);
  expect(Buffer.compare(new Uint8Array(await answer.arrayBuffer()), bytes.subarray(lo, hi))).toBe(0);
});

test("ranges that cannot be had, and those that are to be ignored", async () => {
  const sha256 = server.grid.addFile(bytes);
  const beyond = await server.ask(`/b/${sha256}`, { headers: { range: "bytes=200001-" } });
  expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, "bytes */200001"]);
  expect(await beyond.json()).toMatchObject({ field: "header Range", remedy: "Ask for bytes below 200001." });
  for (const range of ["lines=0-1", "bytes=0-1,3-4", "nonsense"]) {
    const whole = await server.ask(`/b/${sha256}`, { headers: { range } });
    expect([range, whole.status, (await whole.arrayBuffer()).byteLength]).toEqual([range, 200, 200_001]);
  }
  const headers = { range: "bytes=0-9", "if-range": '"another"' };
  expect((await server.ask(`/b/${sha256}`, { headers })).status).toBe(200);
});

test("a thousand clients fetch one blob, and those who never read it hold up nobody for ever", async () => {
  const sha256 = server.grid.addFile(new Uint8Array(8 << 20));
  // More than there are places, and none of them takes its bytes.
  const idle = Array.from({ length: 140 }, () => {
    const sent = request({ port: server.port, path: `/b/${sha256}`, agent: false }, (answer) => answer.pause());
    sent.on("error", () => {}).end();
    return sent;
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const small = server.grid.addFile(bytes);
  const waiting = Promise.all(
    Array.from({ length: 1_000 }, async () => (await (await server.ask(`/b/${small}`)).arrayBuffer()).byteLength),
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (const sent of idle) sent.destroy();
  expect(new Set(await waiting)).toEqual(new Set([200_001]));
  expect(server.defects).toEqual([]);
});
