/** Kernels, blobs and pages: types, caching, isolation, and no way out of the folder. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { raw } from "./raw.ts";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
const folder = mkdtempSync(join(tmpdir(), "queztl-pages-"));
const pagesDir = join(folder, "client");
beforeAll(async () => {
  mkdirSync(join(pagesDir, "assets"), { recursive: true });
  writeFileSync(join(pagesDir, "index.html"), "<title>Donate</title>");
  writeFileSync(join(pagesDir, "dashboard.html"), "<title>Dashboard</title>");
  writeFileSync(join(pagesDir, "playground.html"), "<title>Playground</title>");
  writeFileSync(join(pagesDir, "volunteers.html"), "<title>Volunteers</title>");
  writeFileSync(join(pagesDir, "assets/main-abc123.js"), "export {}");
  writeFileSync(join(pagesDir, ".env"), "SECRET");
  writeFileSync(join(folder, "outside.txt"), "SECRET");
  writeFileSync(join(folder, "client-twin.txt"), "SECRET");
  for (const name of ["worker.mjs", "queztl.mjs", "queztl-sdk.mjs"]) {
    writeFileSync(join(folder, name), `export const name = "${name}";`);
  }
  const [workerFile, cliFile, sdkFile] = ["worker.mjs", "queztl.mjs", "queztl-sdk.mjs"].map((name) =>
    join(folder, name),
  );
  server = await testServer({ pagesDir, workerFile, cliFile, sdkFile });
});
afterAll(async () => {
  expect(server.defects).toEqual([]);
  await server.close();
  rmSync(folder, { recursive: true });
});

test("pages are isolated, may compile WebAssembly, and are asked after each time", async () => {
  for (const [path, title] of [
    ["/", "Donate"],
    ["/dashboard", "Dashboard"],
    ["/volunteers", "Volunteers"],
    ["/playground", "Playground"],
  ] as const) {
    const answer = await server.ask(path);
    expect(await answer.text()).toContain(title);
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("no-cache");
    expect(answer.headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    const policy = answer.headers.get("content-security-policy")!;
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval';");
    expect(policy).not.toMatch(/script-src[^;]*'unsafe-(?:eval|inline)'/);
    expect((await server.ask(path, { headers: { "if-none-match": answer.headers.get("etag")! } })).status).toBe(304);
  }
});

test("hashed assets are kept for ever; programs of one file are not", async () => {
  const asset = await server.ask("/assets/main-abc123.js");
  expect([asset.headers.get("cache-control"), asset.headers.get("content-type")]).toEqual([
    "public, max-age=31536000, immutable",
    "text/javascript; charset=utf-8",
  ]);
  for (const name of ["worker.mjs", "queztl.mjs", "queztl-sdk.mjs"]) {
    const program = await server.ask(`/${name}`);
    expect([program.status, program.headers.get("cache-control")]).toEqual([200, "no-cache"]);
    expect(program.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(await program.text()).toContain(`"${name}"`);
  }
});

test("files come in the encoding that the browser takes, under a tag of their own", async () => {
  const text = "export const again = 1;\n".repeat(200);
  writeFileSync(join(pagesDir, "assets/large-abc123.js"), text);
  const ask = async (accepted: string) => {
    const answer = await raw(server.port, "GET", "/assets/large-abc123.js", {
      host: "localhost",
      "accept-encoding": accepted,
    });
    return answer.headers;
  };
  const answers = await Promise.all(["identity", "gzip", "gzip, br"].map(ask));
  expect(answers.map((answer) => answer["content-encoding"])).toEqual([undefined, "gzip", "br"]);
  for (const answer of answers) expect(answer.vary).toBe("accept-encoding");
  expect(new Set(answers.map(({ etag }) => etag)).size).toBe(3);
  expect(Number(answers[2]?.["content-length"])).toBeLessThan(text.length / 10);
  expect(await (await server.ask("/assets/large-abc123.js")).text()).toBe(text);
  const headers = { "accept-encoding": "br", "if-none-match": String(answers[2]?.etag) };
  expect((await server.ask("/assets/large-abc123.js", { headers })).status).toBe(304);
});

test("a page that was built again is served anew", async () => {
  const path = join(pagesDir, "again.txt");
  writeFileSync(path, "one");
  expect(await (await server.ask("/again.txt")).text()).toBe("one");
  writeFileSync(path, "two");
  utimesSync(path, new Date(), new Date(Date.now() + 5_000));
  expect(await (await server.ask("/again.txt")).text()).toBe("two");
});

test("no way out of the folder", async () => {
  for (const path of [
    "/../outside.txt",
    "/..%2foutside.txt",
    "/%2e%2e/outside.txt",
    "/assets/..%2f..%2foutside.txt",
    "/..%5coutside.txt",
    "/../client-twin.txt",
    "/.env",
    "/assets",
    "/%00",
    "//etc/passwd",
  ]) {
    const answer = await raw(server.port, "GET", path, { host: "localhost" });
    expect([path, answer.status]).toEqual([path, 404]);
    expect(answer.body).not.toContain("SECRET");
  }
});

test("kernels by hash, immutable", async () => {
  const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d]);
  const sha256 = server.grid.addFile(bytes);
  const wasm = await server.ask(`/k/${sha256}.wasm`);
  expect(new Uint8Array(await wasm.arrayBuffer())).toEqual(bytes);
  expect(wasm.headers.get("content-type")).toBe("application/wasm");
  expect(wasm.headers.get("cache-control")).toContain("immutable");
  expect((await server.ask(`/k/${sha256}.wasm`, { headers: { "if-none-match": `"${sha256}"` } })).status).toBe(304);
  expect((await server.ask(`/k/${sha256}.wgsl`)).headers.get("content-type")).toBe("text/wgsl; charset=utf-8");
  for (const path of [`/k/${sha256}`, `/k/${sha256}.html`, `/k/${"0".repeat(64)}.wasm`]) {
    expect((await server.ask(path)).status).toBe(404);
  }
});

test("what is not built says how to build it", async () => {
  const empty = await testServer();
  for (const path of ["/", "/dashboard", "/worker.mjs", "/queztl.mjs", "/queztl-sdk.mjs"]) {
    const answer = await empty.ask(path);
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining("npm run build")]);
  }
  await empty.close();
});
