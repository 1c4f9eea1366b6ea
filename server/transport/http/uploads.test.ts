/** Uploads over HTTP: whole, in parts with breaks, refused, owned. */
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await testServer();
});
afterEach(() => server.close());

const bytes = new Uint8Array(300_000).map((_, at) => (at * 7 + (at >> 9)) & 255);
const sha256 = createHash("sha256").update(bytes).digest("hex");
const octets = { "content-type": "application/octet-stream" };
const upload = (body: Uint8Array, query = "", headers: Record<string, string> = octets) =>
  server.ask(`/api/v1.2/blobs${query}`, { method: "POST", body: body as NonNullable<RequestInit["body"]>, headers });
const append = (url: string, offset: number, body: Uint8Array) =>
  server.ask(url, {
    method: "PATCH",
    body: body as NonNullable<RequestInit["body"]>,
    headers: { ...octets, "upload-offset": String(offset) },
  });
const begin = async (json: unknown) =>
  (await (await server.ask("/api/v1.2/uploads", { json })).json()) as { url: string; upload: string };

test("a file is uploaded whole, fetched by its owner in part, and deleted", async () => {
  const answer = await upload(bytes, `?sha256=${sha256}`);
  expect(answer.status).toBe(201);
  expect(await answer.json()).toEqual({ blob: sha256, bytes: bytes.length, url: `/api/v1.2/blobs/${sha256}` });
  expect((await upload(bytes)).status).toBe(201);
  const part = await server.ask(`/api/v1.2/blobs/${sha256}`, { headers: { range: "bytes=10-19" } });
  expect([part.status, part.headers.get("content-disposition")]).toEqual([206, `attachment; filename="${sha256}"`]);
  expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.subarray(10, 20));
  // It is nobody else's: not by the address that nodes use, nor for a stranger with a wrong key.
  expect((await server.ask(`/b/${sha256}`)).status).toBe(404);
  expect((await server.ask(`/api/v1.2/blobs/${sha256}`, { headers: { authorization: "Bearer none" } })).status).toBe(
    401,
  );
  expect((await server.ask(`/api/v1.2/blobs/${sha256}`, { method: "DELETE" })).status).toBe(200);
  expect(await (await server.ask(`/api/v1.2/blobs/${sha256}`)).json()).toMatchObject({ status: 404, field: "blob" });
  expect(server.defects).toEqual([]);
});

test.each([
  ["another hash", `?sha256=${"0".repeat(64)}`, octets, 422, "hash"],
  ["a hash that is none", "?sha256=xyz", octets, 422, "hexadecimal"],
  ["a form of a page", "", { "content-type": "text/plain" }, 401, "application/octet-stream"],
])("%s is refused", async (_what, query, headers, status, text) => {
  const answer = await upload(bytes, query, headers as Record<string, string>);
  const body = await answer.text();
  expect([answer.status === 400 ? 422 : answer.status, body.includes(text)]).toEqual([status, true]);
  expect(server.defects).toEqual([]);
});

test("a file that is too large is refused before its bytes are read, or where they go past the limit", async () => {
  const large = new Uint8Array(1_000_001);
  expect(await (await upload(large)).json()).toMatchObject({
    status: 413,
    remedy: expect.stringContaining("--upload-max"),
  });
  expect(await (await server.ask("/api/v1.2/uploads", { json: { bytes: 1_000_001 } })).json()).toMatchObject({
    status: 413,
  });
});

test("an upload in parts goes on where it broke off", async () => {
  const { url } = await begin({ bytes: bytes.length, sha256 });
  expect(await (await append(url, 0, bytes.subarray(0, 100_000))).json()).toMatchObject({ offset: 100_000 });
  // Half of the next part, and the line is cut.
  await new Promise<void>((done) => {
    const socket = connect(server.port, "127.0.0.1", () => {
      socket.write(
        `PATCH ${url} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Type: application/octet-stream\r\n`,
      );
      socket.write("Upload-Offset: 100000\r\nContent-Length: 200000\r\n\r\n");
      socket.write(bytes.subarray(100_000, 150_000), () => setTimeout(() => socket.destroy(), 100));
    });
    socket.on("close", () => done());
  });
  const offsetOf = async () => ((await (await server.ask(url)).json()) as { offset: number }).offset;
  await expect.poll(offsetOf).toBe(150_000);
  expect(await (await append(url, 100_000, bytes.subarray(100_000))).json()).toMatchObject({
    status: 409,
    remedy: expect.stringContaining("150000"),
  });
  await expect.poll(async () => (await append(url, 150_000, bytes.subarray(150_000))).status).toBe(201);
  expect((await server.ask(url)).status).toBe(404);
  const whole = await server.ask(`/api/v1.2/blobs/${sha256}`);
  expect(new Uint8Array(await whole.arrayBuffer())).toEqual(bytes);
});

test("an upload that is not what was announced is refused, and given up", async () => {
  const more = await begin({ bytes: 10 });
  expect(await (await append(more.url, 0, bytes.subarray(0, 20))).json()).toMatchObject({ status: 409 });
  const other = await begin({ bytes: 10, sha256 });
  expect(await (await append(other.url, 0, bytes.subarray(0, 10))).json()).toMatchObject({ status: 422 });
  expect((await server.ask(other.url)).status).toBe(404);
  const third = await begin({ bytes: 10 });
  expect((await server.ask(third.url, { method: "DELETE" })).status).toBe(200);
  expect((await append(third.url, 0, bytes.subarray(0, 10))).status).toBe(404);
  const headless = await server.ask(more.url, {
    method: "PATCH",
    body: new Uint8Array(1) as NonNullable<RequestInit["body"]>,
    headers: octets,
  });
  expect([headless.status, await headless.text()]).toEqual([400, expect.stringContaining("Upload-Offset")]);
  expect(await (await server.ask("/api/v1.2/uploads", { json: { bytes: -1 } })).json()).toMatchObject({
    field: "bytes",
  });
});

test("so many uploads are under way at most", async () => {
  for (let at = 0; at < 16; at++) await begin({ bytes: 10 });
  const answer = await server.ask("/api/v1.2/uploads", { json: { bytes: 10 } });
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "60"]);
});

const share = (blob: string, isPublic: boolean) =>
  server.ask(`/api/v1.2/blobs/${blob}`, { method: "PATCH", json: { public: isPublic } });

test("a file is everybody's once its owner says so, and only then", async () => {
  const put = await upload(new TextEncoder().encode("public words"));
  const { blob } = (await put.json()) as { blob: string };
  server.grid.shelfOf = (sha256) => (server.grid.uploads.isPublic(sha256) ? "files" : null);
  expect((await server.ask(`/b/${blob}`)).status).toBe(404);
  const made = await share(blob, true);
  expect(await made.json()).toEqual({ blob, public: true, url: `/b/${blob}` });
  const read = await server.ask(`/b/${blob}`);
  expect([await read.text(), read.headers.get("cache-control")]).toEqual(["public words", "public, no-cache"]);
  expect((await share(blob, false)).status).toBe(200);
  expect((await server.ask(`/b/${blob}`)).status).toBe(404);
  const none = await share("0".repeat(64), true);
  expect(await none.json()).toMatchObject({ status: 404, field: "blob" });
});
