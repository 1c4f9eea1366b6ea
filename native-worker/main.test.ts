/** The worker as a process: signals, kills, restarts, and what it says. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { leaseMessage } from "../agent/testing/fixtures.ts";
import { job, startServer, until } from "./testing/server.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
let dataDir = "";
const started: ChildProcess[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "queztl-worker-"));
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  await rm(dataDir, { recursive: true, force: true });
});

/** `node native-worker`, as people type it. */
function worker(args: readonly string[], env: Record<string, string> = {}, stdin: "ignore" | "pipe" = "ignore") {
  const child = spawn(process.execPath, ["native-worker", "--data", dataDir, "--json", ...args], {
    cwd: root,
    env: { ...process.env, QUEZTL_PORT: "", ...env },
    stdio: [stdin, "pipe", "pipe"],
  });
  started.push(child);
  let said = "";
  child.stderr?.on("data", (data: Buffer) => {
    said += data;
  });
  child.stdout?.on("data", (data: Buffer) => {
    said += data;
  });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.on("close", (code, signal) => resolve(signal ?? code)),
  );
  return { child, ended, said: () => said };
}

describe("the worker's process", () => {
  it("keeps unacknowledged results over a kill, and sends them when it is back", async () => {
    await using server = await startServer();
    const { coordinator } = server;
    coordinator.acknowledges = false;
    coordinator.onWelcome = () => {
      if (coordinator.of("hello").length === 1) coordinator.send(job(), leaseMessage("a", 0, 10));
    };
    const args = [server.url, "--threads", "1", "--no-gpu"];
    const first = worker(args);
    await until("a result arrives", () => coordinator.of("result").length > 0);
    // What is sent is on disk a moment later: the kill comes once it is.
    const results = join(dataDir, "results");
    let files: string[] = [];
    await until("it is on disk", () => {
      void readdir(results).then((names) => {
        files = names.filter((name) => name.endsWith(".result"));
      });
      return files.length > 0;
    });
    first.child.kill("SIGKILL");
    expect(await first.ended).toBe("SIGKILL");
    coordinator.acknowledges = true;
    const sent = coordinator.of("result").length;
    const second = worker(args);
    await until("it is sent again", () => coordinator.of("result").length > sent);
    const [before, after] = [coordinator.of("result")[0], coordinator.of("result")[sent]];
    expect(after).toEqual(before);
    await until("it is forgotten", () => {
      void readdir(results).then((names) => {
        files = names;
      });
      return files.length === 0;
    });
    expect(coordinator.of("hello")[1]?.publicKey).toEqual(coordinator.of("hello")[0]?.publicKey);
    second.child.kill("SIGTERM");
    expect(await second.ended).toBe(0);
  });

  it("drains on SIGTERM: finished grains are handed in, it says goodbye, and ends with 0 within 3 s", async () => {
    await using server = await startServer();
    const { coordinator } = server;
    coordinator.onWelcome = () =>
      coordinator.send(job({ grainTasks: 20 }), leaseMessage("a", 0, 200), leaseMessage("b", 200, 220));
    const { child, ended, said } = worker([server.url, "--threads", "1", "--no-gpu"], { QUEZTL_JOIN_TOKEN: "s3cret" });
    await until("it computes", () => coordinator.of("progress").some(({ leases }) => (leases[0]?.done ?? 0) > 2));
    const startedMs = performance.now();
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    expect(coordinator.of("bye")).toHaveLength(1);
    expect(coordinator.of("release")).toMatchObject([
      { lease: "b", reason: "draining" },
      { lease: "a", reason: "draining" },
    ]);
    expect(coordinator.grains.size).toBeGreaterThan(2);
    expect(coordinator.received.at(-1)?.type).toBe("bye");
    expect(coordinator.of("hello")[0]?.joinToken).toBe("s3cret");
    expect(said()).not.toContain("s3cret");
    for (const line of said().trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("code");
    if (process.platform !== "win32") {
      expect((await stat(join(dataDir, "identity.json"))).mode & 0o777).toBe(0o600);
    }
  });

  it("ends at once on a second signal", async () => {
    await using server = await startServer();
    server.coordinator.acknowledges = false;
    server.coordinator.onWelcome = () => server.coordinator.send(job({ grainTasks: 5_000 }), leaseMessage("a", 0, 1));
    const { child, ended, said } = worker([server.url, "--threads", "1", "--no-gpu"]);
    await until("it computes", () =>
      server.coordinator.of("progress").some(({ leases }) => (leases[0]?.fraction ?? 0) > 0),
    );
    child.kill("SIGINT");
    await until("it drains", () => said().includes("stopping"));
    child.kill("SIGINT");
    expect(await ended).toBe(130);
  });

  it("ends with 1 and the coordinator's words when coming back is pointless", async () => {
    await using server = await startServer();
    const refusal = {
      code: "bad_join_token",
      message: "No such token.",
      remedy: "Ask for one.",
      retryMs: null,
    } as const;
    server.coordinator.onWelcome = () => server.coordinator.send({ type: "refuse", ...refusal });
    const { ended, said } = worker([server.url, "--threads", "1", "--no-gpu"]);
    expect(await ended).toBe(1);
    expect(said()).toContain("No such token. Ask for one.");
  });

  it("serves its health only when told a port", async () => {
    await using server = await startServer();
    const { child, ended, said } = worker([server.url, "--threads", "1", "--no-gpu", "--port", "0"]);
    await until("it tells the address", () => /Health: \S+/.test(said()));
    const [, url] = /Health: (\S+\/health)/.exec(said()) as unknown as [string, string];
    await until("it is online", () => server.coordinator.of("hello").length > 0);
    const answer = await fetch(url);
    expect([answer.status, (await answer.json()).phase]).toEqual([200, "online"]);
    expect((await fetch(new URL("/", url))).status).toBe(404);
    child.kill("SIGTERM");
    await ended;
  });

  it("ends with its parent, when told to", async () => {
    await using server = await startServer();
    const { child, ended } = worker([server.url, "--threads", "1", "--no-gpu", "--with-parent"], {}, "pipe");
    await until("it joins", () => server.coordinator.of("hello").length > 0);
    expect(child.exitCode).toBeNull();
    child.stdin?.end();
    expect(await ended).toBe(0);
    await until("it says goodbye", () => server.coordinator.of("bye").length === 1);
  });

  it("says what is wrong with a flag, and lists all of them", async () => {
    const wrong = worker(["--threads", "many"]);
    expect(await wrong.ended).toBe(1);
    expect(wrong.said()).toBe('--threads must be a whole number from 0 to 256; it is "many".\n');
    const help = worker(["--help"]);
    expect(await help.ended).toBe(0);
    for (const flag of [
      "coordinator",
      "join-token",
      "threads",
      "no-gpu",
      "with-gpu",
      "families",
      "name",
      "data",
      "port",
    ]) {
      expect(help.said()).toContain(`--${flag}`);
    }
    expect(help.said()).not.toContain("software");
  });
});
