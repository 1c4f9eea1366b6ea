/** The coordinator's own program with --https, and workers that reach it: one beside it, and one through TLS. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { JobView, NetworkStatus } from "../../protocol/rest.ts";
import { newKey, selfSigned } from "./certificate.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "queztl-https-"));
const certFile = join(folder, "tls", "certificate.pem");
const children: ChildProcess[] = [];
let log = "";
let port = 0;

function start(args: string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (data) => (log += data));
  return child;
}

async function until<T>(holds: () => Promise<T | null> | T | null, ms = 30_000): Promise<T> {
  for (const endMs = Date.now() + ms; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const value = await holds();
    if (value !== null) return value;
    if (Date.now() > endMs) throw new Error(`It did not come true in time:\n${log.slice(-3_000)}`);
  }
}

/** By `localhost`, trusting the certificate that the coordinator keeps. */
function ask<T>(
  path: string,
  headers: Record<string, string> = {},
  body?: unknown,
): Promise<{ status: number; body: T }> {
  const ca = readFileSync(certFile);
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const options = { host: "localhost", port, path, method, ca, headers, agent: false };
    const asked = request(options, (response) => {
      let text = "";
      response.on("data", (data) => (text += data));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as T }));
    });
    asked.on("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

beforeAll(async () => {
  const args = [
    "--https",
    "--json",
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    "--data",
    folder,
    "--threads",
    "1",
    "--demo-job",
  ];
  start(["--import", "tsx", "server/main.ts", ...args]);
  port = await until(() => Number(/"listening","message":"https:\/\/127\.0\.0\.1:(\d+)"/.exec(log)?.[1] ?? 0) || null);
}, 40_000);

afterAll(async () => {
  await Promise.all(
    children.map(
      (child) =>
        new Promise((resolve) => {
          child.once("exit", resolve);
          if (child.exitCode !== null || !child.kill("SIGTERM")) resolve(null);
        }),
    ),
  );
  rmSync(folder, { recursive: true, force: true });
}, 20_000);

const secrets = (): { operatorToken: string; joinToken: string } =>
  JSON.parse(readFileSync(join(folder, "secrets.json"), "utf8"));

const nodes = async (): Promise<NetworkStatus["nodes"]> =>
  (await ask<NetworkStatus>("/api/v1.2/network/status")).body.nodes.filter((node) => node.online);

it("has the worker of this machine, and one that trusts the certificate and comes through wss", async () => {
  const args = ["--coordinator", `https://localhost:${port}`, "--threads", "1", "--no-gpu", "--name", "far"];
  const extra = { NODE_EXTRA_CA_CERTS: certFile, QUEZTL_JOIN_TOKEN: secrets().joinToken };
  start(["--import", "tsx", "native-worker/main.ts", ...args, "--data", join(folder, "far")], extra);
  const found = await until(async () => {
    const names = (await nodes()).map((node) => node.name);
    return names.includes("far") && (names.includes("this machine") || !existsSync(join(root, "dist", "worker.mjs")))
      ? names
      : null;
  });
  expect(found).toContain("far");
}, 40_000);

it("takes a job with the operator's token, which TLS makes necessary, and computes it", async () => {
  const json = { "content-type": "application/json" };
  const body = { workload_type: "monte_carlo", payload: { iterations: 1_000_000 } };
  const refused = await ask<{ detail: string }>("/api/v1.2/workload/submit", json, body);
  expect(refused.status).toBe(401);
  expect(refused.body.detail).toContain("the coordinator serves TLS");
  const authorization = `Bearer ${secrets().operatorToken}`;
  const taken = await ask<{ task_id: string }>("/api/v1.2/workload/submit", { ...json, authorization }, body);
  expect(taken.status).toBe(202);
  const path = `/api/v1.2/workload/${taken.body.task_id}`;
  const job = await until(async () => {
    const view = (await ask<JobView>(path, { authorization })).body;
    return view.status === "completed" ? view : null;
  });
  expect(job.label).toBeUndefined();
}, 40_000);

it("answers to the name of the operator's certificate, and to no other", async () => {
  const key = newKey();
  const [cert, keyFile] = [join(folder, "given.pem"), join(folder, "given.key")];
  const pem = selfSigned(key, ["*.wild.test", "grid.test"], Date.now());
  writeFileSync(cert, pem);
  writeFileSync(keyFile, key);
  const args = [
    "--tls-cert",
    cert,
    "--tls-key",
    keyFile,
    "--port",
    "0",
    "--data",
    join(folder, "given"),
    "--no-worker",
  ];
  log = "";
  start(["--import", "tsx", "server/main.ts", ...args]);
  const given = await until(() => Number(/https:\/\/grid\.test:(\d+)\/dashboard/.exec(log)?.[1] ?? 0) || null);
  const status = (host: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const options = {
        host: "127.0.0.1",
        port: given,
        path: "/api/health",
        servername: "grid.test",
        ca: pem,
        agent: false,
      };
      const asked = request({ ...options, headers: { host: `${host}:${given}` } }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asked.on("error", reject).end();
    });
  expect(await status("grid.test")).toBe(200);
  expect(await status("other.test")).toBe(421);
}, 40_000);

it("offers no demo job while no tab is there, though switched on", async () => {
  const { body } = await ask<NetworkStatus>("/api/v1.2/network/status");
  expect(body.scheduler).toMatchObject({ pending_tasks: 0, active_tasks: 0, completed_tasks: 1 });
});
