/**
 * A real nginx before the coordinator, with nothing but `proxy_pass`: it rewrites Host to ours, adds no
 * header, and connects from loopback. Whoever comes through it must not be taken for the local user.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { raw } from "./raw.ts";
import { operatorToken, type TestServer, testServer } from "./test-server.ts";

const binary = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"].find(
  (candidate) => spawnSync(candidate, ["-v"]).status === 0,
);
if (binary === undefined) console.log("nginx.test.ts is skipped: no nginx here (Debian: apt install nginx-light).");
const asRoot = process.getuid?.() === 0;

let server: TestServer;
let nginx: ChildProcess;
let folder: string;

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Starts both; the proxy's port. `location` holds what stands beside proxy_pass. */
async function start(location = "", servers = ""): Promise<number> {
  server = await testServer();
  folder = mkdtempSync(join(tmpdir(), "queztl-nginx-"));
  // nginx's worker runs as another user when it is started by root.
  chmodSync(folder, 0o777);
  const port = await freePort();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; pid ${folder}/nginx.pid; error_log stderr; events {}
     http { access_log off; ${temporary.join(" ")}
       upstream kept { server 127.0.0.1:${server.port}; keepalive 4; }
       server { listen 127.0.0.1:${port}; ${servers} location / { proxy_pass http://${location.includes("# kept") ? "kept" : `127.0.0.1:${server.port}`}; ${location} } } }`,
  );
  nginx = spawn(binary!, ["-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")], { stdio: "ignore" });
  for (let attempt = 0; attempt < 100; attempt++) {
    const answer = await raw(port, "GET", "/worker.mjs", { host: "grid.example" }).catch(() => null);
    if (answer !== null && answer.status !== 502) return port;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("nginx did not start");
}

afterEach(async () => {
  const gone = new Promise((resolve) => nginx.once("exit", resolve));
  nginx.kill("SIGTERM");
  await gone;
  rmSync(folder, { recursive: true, force: true });
  await server.close();
});

const body = JSON.stringify({ workload_type: "monte_carlo", payload: {} });
const submit = (port: number, headers: Record<string, string> = {}) =>
  raw(
    port,
    "POST",
    "/api/v1.2/workload/submit",
    {
      host: "grid.example",
      "content-type": "application/json",
      "content-length": String(body.length),
      ...headers,
    },
    body,
  );

describe.skipIf(binary === undefined)("behind nginx", { timeout: 30_000 }, () => {
  test("stock proxy_pass: no access without a key, whatever Host the stranger sends", async () => {
    const port = await start();
    for (const host of ["grid.example", "localhost", `127.0.0.1:${server.port}`]) {
      expect((await submit(port, { host })).status).toBe(401);
    }
    expect(server.grid.kept.size).toBe(0);
    // The same server takes it from a program on this machine, so it was nginx that was recognised.
    expect((await submit(server.port, { host: "localhost" })).status).toBe(202);
  });

  test.runIf(asRoot)("over HTTP/1.1 with kept connections, as newer versions do: known by its user", async () => {
    const port = await start(
      'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host 127.0.0.1; # kept\n',
    );
    for (let again = 0; again < 3; again++) {
      const answer = await submit(port);
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.body).detail).toContain("runs as user");
    }
    expect(server.grid.kept.size).toBe(0);
  });

  test("handing on the stranger's Host turns keyless off for all", async () => {
    const port = await start("proxy_set_header Host $host;");
    expect((await submit(port)).status).toBe(421);
    expect((await submit(server.port, { host: "localhost" })).status).toBe(401);
    expect(server.printed[0]).toContain("grid.example");
  });

  test("a browser's Origin through it turns keyless off for all", async () => {
    const port = await start();
    expect((await submit(port, { origin: "http://grid.example" })).status).toBe(401);
    expect((await submit(server.port, { host: "localhost" })).status).toBe(401);
  });

  test("with a credential the proxy is welcome", async () => {
    const port = await start();
    expect((await submit(port, { authorization: `Bearer ${operatorToken}` })).status).toBe(202);
  });
});
