/** The start-up script by a real shell, beside a metadata service, a coordinator and a worker that stand in. */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startupScript } from "./startup.ts";

/** Tells what it was started with, and what it heard. */
const worker = `
import { appendFileSync } from "node:fs";
const tell = (line) => appendFileSync(process.env.TOLD, JSON.stringify(line) + "\\n");
tell({ args: process.argv.slice(2), token: process.env.QUEZTL_JOIN_TOKEN, mode: process.env.QUEZTL_MODE });
process.on("SIGTERM", () => { tell({ heard: "SIGTERM" }); process.exit(0); });
if (process.env.BRIEF) setTimeout(() => process.exit(0), 200); else setInterval(() => {}, 1000);
`;

const isWindows = process.platform === "win32";
let folder: string;
let server: Server;
let url: string;
/** What the metadata service says, by path; tokens are asked for. */
let metadata: Map<string, string>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "queztl-startup-"));
  metadata = new Map([["instance-id", "i-0123"]]);
  server = createServer(({ method, url: path = "", headers }, response) => {
    if (path === "/worker.mjs") response.end(worker);
    else if (path === "/latest/api/token" && method === "PUT") response.end("session");
    else {
      const said =
        headers["x-aws-ec2-metadata-token"] === "session"
          ? metadata.get(path.replace("/latest/meta-data/", ""))
          : undefined;
      response.writeHead(said === undefined ? 404 : 200).end(said);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "bin", "shutdown"), `#!/bin/sh\necho "$@" >> "${join(folder, "shutdowns")}"\n`);
  chmodSync(join(folder, "bin", "shutdown"), 0o755);
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const told = (): Record<string, unknown>[] => {
  const file = join(folder, "told");
  return existsSync(file)
    ? readFileSync(file, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    : [];
};
const shutdowns = (): string[] => readFileSync(join(folder, "shutdowns"), "utf8").trim().split("\n");

function start(more: Record<string, string> = {}, coordinatorUrl = url) {
  const script = startupScript({ coordinatorUrl, joinToken: "one'time", lifetimeMs: 90 * 60_000, silenceMs: 300_000 });
  const env = {
    PATH: `${join(folder, "bin")}:${join(process.execPath, "..")}:${process.env.PATH}`,
    ...{
      QUEZTL_IMDS: url,
      QUEZTL_ROOT: join(folder, "root"),
      QUEZTL_NOTICE_SECONDS: "0.1",
      TOLD: join(folder, "told"),
    },
    ...more,
  };
  const child = spawn("bash", ["-c", script], { env, stdio: "pipe" });
  return { ended: new Promise<number | null>((resolve) => child.once("exit", resolve)) };
}

describe.skipIf(isWindows)("the start-up script", () => {
  it("joins with the token and the instance's own id, with a timer set first, and shuts down after the worker", async () => {
    const { ended } = start({ BRIEF: "1" });
    expect(await ended).toBe(0);
    const [worker = {}] = told();
    expect(worker).toMatchObject({ token: "one'time:i-0123", mode: "worker" });
    expect((worker.args as string[]).join(" ")).toContain(`--coordinator ${url} `);
    expect((worker.args as string[]).join(" ")).toContain(
      "--name instance i-0123 --end-after 5400 --end-if-silent 300",
    );
    expect(shutdowns()).toEqual([expect.stringMatching(/^-h \+90/), "-h now"]);
  });

  it("hands leases back when the cloud takes the machine away", async () => {
    const { ended } = start();
    await expect.poll(told, { timeout: 10_000 }).toHaveLength(1);
    metadata.set("spot/instance-action", '{"action": "terminate"}');
    const before = performance.now();
    expect(await ended).toBe(0);
    expect(told().at(-1)).toEqual({ heard: "SIGTERM" });
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(shutdowns().at(-1)).toBe("-h now");
  });

  it("joins without an id where the metadata service does not answer", async () => {
    const { ended } = start({ BRIEF: "1", QUEZTL_IMDS: "http://127.0.0.1:9" });
    expect(await ended).toBe(0);
    expect(told()[0]).toMatchObject({ token: "one'time" });
  });
});
