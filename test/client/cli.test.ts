/** The command line as people run it: fetched from the real coordinator as one file, and run by plain Node. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { fakeServer, json, problem } from "../../client/sdk/testing/fake-server.ts";
import { sumOf } from "../../server/testing/workload.ts";
import { RealCoordinator, until } from "./real-coordinator.ts";

// Dozens of processes, each of which takes its time to start.
vi.setConfig({ testTimeout: 60_000 });
const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "queztl-cli-"));
const program = join(folder, "fetched", "queztl.mjs");
const started: ChildProcess[] = [];
let coordinator: RealCoordinator;

beforeAll(async () => {
  await promisify(execFile)(process.execPath, ["scripts/build-cli.mjs", folder], { cwd: root });
  mkdirSync(join(folder, "fetched"));
  coordinator = await RealCoordinator.start(folder);
  writeFileSync(program, await (await fetch(`${coordinator.url}/queztl.mjs`)).text());
}, 60_000);
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});
afterAll(async () => {
  await coordinator?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

function start(args: readonly string[], env: Record<string, string> = {}, stdin?: string) {
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env.PATH, QUEZTL_URL: coordinator.url, ...env },
    stdio: [stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  started.push(child);
  const said = { out: "", err: "" };
  child.stdout?.on("data", (data: Buffer) => (said.out += data));
  child.stderr?.on("data", (data: Buffer) => (said.err += data));
  child.stdin?.end(stdin);
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, ...said })));
  return { child, said, ended };
}
const queztl = (...args: string[]): Promise<Ended> => start(args).ended;
const submitIdle = async (tasks = 100): Promise<string> =>
  (await queztl("submit", "sum", `{"tasks":${tasks}}`)).out.trim();

describe("a job, from the shell", () => {
  it("is submitted, watched and fetched; standard output is what a pipe wants", async () => {
    const submitted = await queztl("submit", "sum", '{"tasks": 1000}', "--priority", "9");
    expect(submitted).toMatchObject({ code: 0, out: expect.stringMatching(/^[0-9a-f-]{36}\n$/) });
    expect(submitted.err).toContain("Accepted and on disk: 100 grains");
    const id = submitted.out.trim();
    const unfinished = await queztl("result", id, "--no-wait");
    expect(unfinished).toMatchObject({ code: 5, out: "" });
    expect(unfinished.err).toContain("0% done");
    const watching = start(["watch", id]);
    await until("it watches", () => watching.said.err.includes("queued"));
    const node = coordinator.node();
    expect(await watching.ended).toMatchObject({
      code: 0,
      out: "",
      err: expect.stringContaining("100.0%  100/100 grains"),
    });
    const result = await queztl("result", id);
    expect(result.code).toBe(0);
    expect(JSON.parse(result.out)).toEqual({ sum: sumOf(0, 1000) });
    expect(result.err).toContain("results: ");
    const seen = await queztl("status", id);
    expect(seen.out).toMatch(/state +completed/);
    node.leave();
  });

  it("speaks JSON, an event a line", async () => {
    const accepted = JSON.parse((await queztl("submit", "sum", "--tasks", "50", "--json")).out);
    expect(accepted).toMatchObject({ status: "queued", workload_type: "sum", tasks: 50, replayed: false });
    const watching = start(["watch", accepted.task_id, "--json"]);
    await until("it watches", () => watching.said.out.includes("\n"));
    const node = coordinator.node();
    const watched = await watching.ended;
    const events = watched.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.at(-1)).toMatchObject({ event: "state", job: { status: "completed" } });
    expect([watched.code, watched.err]).toEqual([0, ""]);
    const report = JSON.parse((await queztl("result", accepted.task_id, "--json")).out);
    expect(report).toMatchObject({ status: "completed", result: { sum: sumOf(0, 50) } });
    const waited = await queztl("submit", "sum", "--tasks=60", "--wait", "--json");
    expect(JSON.parse(waited.out)).toMatchObject({ result: { sum: sumOf(0, 60) } });
    node.leave();
  });

  it("takes its payload from a file, standard input and fields", async () => {
    writeFileSync(join(folder, "payload.json"), '{"tasks": 30}');
    const node = coordinator.node();
    const sum = async (ended: Promise<Ended>) => JSON.parse((await ended).out);
    expect(await sum(queztl("submit", "sum", `@${join(folder, "payload.json")}`, "--wait"))).toEqual({
      sum: sumOf(0, 30),
    });
    expect(await sum(start(["submit", "sum", "-", "--wait"], {}, '{"tasks": 31}').ended)).toEqual({
      sum: sumOf(0, 31),
    });
    const fields = ["--tasks", "32", "--echo", "--ballast", "as it is"];
    expect(await sum(queztl("submit", "sum", '{"grain": 5}', ...fields, "--wait"))).toEqual({
      sum: sumOf(0, 32),
      ballast: "as it is",
    });
    node.leave();
  });

  it("is one job for one idempotency key", async () => {
    const args = ["submit", "sum", '{"tasks": 5}', "--idempotency-key", "from-a-script"];
    const [first, second] = [await queztl(...args), await queztl(...args)];
    expect(second.out).toBe(first.out);
    expect(second.err).toContain("was submitted before");
    await queztl("cancel", first.out.trim());
  });

  it("is cancelled, which is what waiting for it ends with", async () => {
    const id = await submitIdle();
    const waits = [start(["result", id]), start(["watch", id])];
    await until("both wait", () => waits.every(({ said }) => said.err.includes("queued")));
    expect(await queztl("cancel", id)).toMatchObject({ code: 0, out: `${id} is cancelled\n` });
    expect((await Promise.all(waits.map(({ ended }) => ended))).map(({ code }) => code)).toEqual([6, 6]);
    expect(JSON.parse((await queztl("jobs", "--state", "cancelled", "--json")).out).jobs[0].task_id).toBe(id);
  });

  it("goes on when the shell does not wait any longer", async () => {
    const id = await submitIdle();
    const late = await queztl("result", id, "--timeout", "1");
    expect(late.code).toBe(5);
    expect(late.err).toContain(`The job is not finished after 1 s. It goes on: queztl watch ${id}`);
    const left = start(["watch", id]);
    await until("it watches", () => left.said.err.includes("queued"));
    left.child.kill("SIGINT");
    expect(await left.ended).toMatchObject({ code: 130, err: expect.stringContaining("go on") });
    expect(JSON.parse((await queztl("status", id, "--json")).out).status).toBe("queued");
    await queztl("cancel", id);
  });
});

describe("what there is", () => {
  it("is listed for people and for programs", async () => {
    const node = coordinator.node();
    await until("a node", async () => (await queztl("nodes")).out.includes("native, own"));
    expect((await queztl("status")).out).toMatch(/nodes +1 online/);
    expect(JSON.parse((await queztl("status", "--json")).out).registry.online_nodes).toBe(1);
    expect((await queztl("types")).out).toContain("Adds numbers up.");
    const type = await queztl("types", "sum");
    expect(type.out).toMatch(/--tasks +required +a whole number\./);
    expect(type.out).toContain(`queztl submit sum '{"tasks":100}'`);
    expect((await queztl("jobs", "--limit", "1")).out).toMatch(/^JOB/);
    node.leave();
  });
  it("has help with every exit code", async () => {
    const help = await queztl("--help");
    expect(help.code).toBe(0);
    for (const code of [0, 1, 2, 3, 4, 5, 6, 70, 130]) expect(help.out).toMatch(new RegExp(`^ +${code}  `, "m"));
    expect((await queztl("submit", "--help")).out).toContain("--idempotency-key");
    expect((await queztl()).code).toBe(2);
  });
});

describe("how it ends when it cannot", () => {
  it.each<[string, string[]]>([
    ['There is no command "sumbit". Did you mean submit?', ["sumbit"]],
    ["TYPE is missing. Write: queztl submit TYPE", ["submit"]],
    ["one word too many", ["nodes", "all"]],
    ["the payload is not JSON", ["submit", "sum", "{tasks: 1}"]],
    ["cannot be read (ENOENT)", ["submit", "sum", "@/nonexistent/payload.json"]],
    ["Did you mean --tasks?", ["submit", "sum", "--task", "1"]],
    ['"ten" is none. Give a whole number.', ["submit", "sum", "--tasks", "ten"]],
    ['--priority is "11". Give a whole number from 1 to 10.', ["submit", "sum", "--priority", "11"]],
    ["belongs to --wait", ["submit", "sum", "--timeout", "1"]],
    ["is no id of a job", ["status", "../keys"]],
    ["no address of a coordinator", ["nodes", "--url", "localhost:8000"]],
    ["Did you mean sum?", ["types", "summ"]],
  ])("2: %s", async (text, args) => {
    const ended = await queztl(...args);
    expect(ended).toMatchObject({ code: 2, out: "" });
    expect(ended.err).toContain(text);
  });

  it("3: nobody answers, or no coordinator", async () => {
    const closed = await fakeServer(json(200, {}));
    await closed.stop();
    const nobody = start(["nodes", "--json"], { QUEZTL_URL: closed.url });
    await using page = await fakeServer((_request, response) => void response.end("<title>Hello</title>"));
    const none = await start(["nodes"], { QUEZTL_URL: page.url }).ended;
    expect(none).toMatchObject({
      code: 3,
      err: expect.stringContaining("Check that the address is the coordinator's"),
    });
    const ended = await nobody.ended;
    expect(ended.code).toBe(3);
    expect(JSON.parse(ended.err).error).toMatchObject({
      code: "unreachable",
      exit_code: 3,
      remedy: expect.any(String),
    });
  });

  it("4: the coordinator refuses, and says what and why", async () => {
    const wrong = await queztl("submit", "sum", '{"tasks": 0, "grain": 0}');
    expect(wrong).toMatchObject({ code: 4, out: "" });
    expect(wrong.err).toMatch(/^queztl: payload\.tasks/);
    expect(wrong.err).toMatch(/^ {2}payload\.grain: /m);
    const unknown = await queztl("submit", "some", "--json");
    expect([unknown.code, JSON.parse(unknown.err).error]).toMatchObject([
      4,
      { code: "unknown_workload", field: "workload_type", available: ["sum"], exit_code: 4 },
    ]);
    const key = await start(["jobs"], { QUEZTL_KEY: "qk_wrong" }).ended;
    expect([key.code, key.err]).toMatchObject([4, expect.not.stringContaining("qk_wrong")]);
    expect((await queztl("status", "nobody")).code).toBe(4);
  });

  it("1: the job failed", async () => {
    const remedy = "Correct what the reason names; submit again.";
    await using failing = await fakeServer(
      problem("job_failed", 409, { detail: "The job failed. It trapped.", remedy }),
    );
    const ended = await start(["result", "j"], { QUEZTL_URL: failing.url }).ended;
    expect(ended).toMatchObject({ code: 1, out: "", err: `queztl: The job failed. It trapped. ${remedy}\n` });
  });

  it("with a key from a file", async () => {
    const file = join(folder, "key");
    writeFileSync(file, `${await coordinator.key("submit")}\n`);
    const id = (await queztl("submit", "sum", "--tasks", "3", "--key-file", file)).out.trim();
    expect(JSON.parse((await queztl("status", id, "--json", "--key-file", file)).out).payload).toMatchObject({
      tasks: 3,
    });
    expect((await queztl("nodes", "--key-file", join(folder, "none"))).code).toBe(2);
  });
});
