/** A job's result and its events over connections that are cut, silent, slow or left. */
import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { jobEvents } from "./events.ts";
import { connect } from "./grid.ts";
import { Http } from "./http.ts";
import type { ProgressEvent } from "./index.ts";
import { cut, fakeServer, type Handler, json, problem, quick } from "./testing/fake-server.ts";

const view = (status: string, fraction: number) => ({ task_id: "j", status, progress: { fraction } });
const frame = (id: number, event: string, job: unknown): string =>
  `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify({ event, job })}\n\n`;
const partial = (id: number, preview: unknown): string =>
  `id: ${id}\nevent: partial\ndata: ${JSON.stringify({ event: "partial", task_id: "j", preview, fraction: 0.5 })}\n\n`;
const head = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { "content-type": "text/event-stream" });
/** Sends these pieces, then ends, or keeps the connection open. */
const stream =
  (pieces: string[], after: "end" | "cut" | "stay" = "end"): Handler =>
  async (_request, response) => {
    head(response).write("retry: 2000\n\n");
    for (const piece of pieces) {
      response.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (after === "end") response.end();
    if (after === "cut") response.destroy();
  };
const gone: Handler = (_request, response) => void response.writeHead(204).end();
const until = async (holds: () => boolean): Promise<void> => {
  for (const endMs = performance.now() + 10_000; !holds(); ) {
    if (performance.now() > endMs) throw new Error("it did not come true");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

describe("progress", () => {
  it("goes on behind the last whole event when the connection is cut within one", async () => {
    const second = frame(2, "progress", view("running", 0.4));
    await using server = await fakeServer(
      stream(
        [frame(1, "state", view("running", 0)), second.slice(0, 30), second.slice(30), "id: 3\nevent: pro"],
        "cut",
      ),
      cut,
      problem("too_many_streams", 429),
      stream([partial(3, "π ≈ 3.1"), "event: later_kind\ndata: x\nid: 4\n\n"], "end"),
      stream([frame(5, "state", view("completed", 1)), frame(6, "progress", view("running", 0))], "stay"),
    );
    const seen: ProgressEvent[] = [];
    for await (const event of connect(server.url, { retry: quick }).job("j").progress()) seen.push(event);
    expect(seen.map(({ id, event }) => `${id} ${event}`)).toEqual(["1 state", "2 progress", "3 partial", "5 state"]);
    expect(seen[2]).toMatchObject({ preview: "π ≈ 3.1" });
    expect(server.received.map(({ headers }) => headers["last-event-id"])).toEqual([undefined, "2", "2", "2", "4"]);
    await until(() => server.open() === 0);
  });

  it("begins behind a given event, and ends when there is nothing more to tell", async () => {
    await using server = await fakeServer(gone);
    const seen = [];
    for await (const event of connect(server.url).job("j").progress({ after: "41" })) seen.push(event);
    expect(seen).toEqual([]);
    expect(server.received[0]!.headers["last-event-id"]).toBe("41");
  });

  it("takes characters that are cut in two", async () => {
    await using server = await fakeServer(async (_request, response) => {
      const bytes = Buffer.from(partial(1, "Größe π") + frame(2, "state", view("completed", 1)));
      head(response);
      for (const byte of bytes) response.write(Buffer.of(byte));
      response.end();
    });
    const seen: ProgressEvent[] = [];
    for await (const event of connect(server.url).job("j").progress()) seen.push(event);
    expect(seen[0]).toMatchObject({ preview: "Größe π" });
  });

  it("comes again when the connection says nothing for too long", async () => {
    await using server = await fakeServer(
      stream([frame(1, "state", view("running", 0))], "stay"),
      stream([frame(2, "state", view("completed", 1))]),
    );
    const http = new Http({
      base: server.url,
      key: null,
      fetch,
      retry: quick,
      timeoutMs: 5_000,
      connections: 1,
      answerBytesMax: 1 << 20,
      onRetry: () => {},
    });
    const seen: string[] = [];
    for await (const { id } of jobEvents(http, "/events", {}, { silentMs: 500 })) seen.push(id);
    expect(seen).toEqual(["1", "2"]);
    await until(() => server.open() === 0);
  });

  it("closes its connection when the loop is left, and when the signal aborts", async () => {
    await using server = await fakeServer(stream([frame(1, "state", view("running", 0))], "stay"));
    const job = connect(server.url, { retry: quick }).job("j");
    for await (const event of job.progress()) {
      expect(event.id).toBe("1");
      break;
    }
    await until(() => server.open() === 0);
    const controller = new AbortController();
    const loop = (async () => {
      for await (const _ of job.progress({ signal: controller.signal })) controller.abort(new Error("seen enough"));
    })();
    await expect(loop).rejects.toThrow("seen enough");
    await until(() => server.open() === 0);
  });

  it("reads no further than the consumer: what it does not take stays with the server", async () => {
    let written = 0;
    const filler = "x".repeat(64 << 10);
    await using server = await fakeServer((_request, response) => {
      head(response);
      const more = (): void => {
        while (written < 64 << 20 && response.write(frame(++written, "progress", filler))) written += filler.length;
        response.once("drain", more);
      };
      more();
    });
    for await (const _ of connect(server.url).job("j").progress()) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      break;
    }
    // What fits the buffers of both ends, not the 64 MiB that the server has.
    expect(written).toBeLessThan(32 << 20);
  });

  it("is given up after the budget, and refused at once where there is no such job", async () => {
    await using cuts = await fakeServer(stream([], "end"));
    const drain = async (url: string): Promise<void> => {
      const retry = { ...quick, totalMs: 50 };
      for await (const _ of connect(url, { retry }).job("j").progress());
    };
    await expect(drain(cuts.url)).rejects.toMatchObject({ code: "unreachable" });
    await using none = await fakeServer(problem("no_such_job", 404));
    await expect(drain(none.url)).rejects.toMatchObject({ code: "no_such_job", status: 404 });
    expect(none.received).toHaveLength(1);
    await using page = await fakeServer(json(200, {}));
    await expect(drain(page.url)).rejects.toMatchObject({ code: "bad_answer" });
  });
});

describe("the result", () => {
  const done = { task_id: "j", status: "completed", workload_type: "w", revision: 0, result: { sum: 3 } };
  const unfinished = (seconds: number): Handler =>
    problem("job_not_finished", 409, {}, { "retry-after": String(seconds) });

  it("is asked for until the job ends, over lost connections", async () => {
    await using server = await fakeServer(unfinished(0), cut, unfinished(0), json(200, done));
    const job = connect(server.url, { retry: quick }).job("j");
    expect(await job.result()).toEqual({ sum: 3 });
    expect(server.received.every(({ path }) => path === "/api/v1.2/workload/j/result?wait=30")).toBe(true);
    expect(await job.report()).toEqual(done);
  });

  it("is not asked for in a hurry when the coordinator does not hold the question", async () => {
    await using server = await fakeServer(unfinished(1), json(200, done));
    const startMs = performance.now();
    await connect(server.url, { retry: quick }).job("j").result();
    expect(performance.now() - startMs).toBeGreaterThan(990);
  });

  it("of a job that failed or was cancelled is a problem of that name", async () => {
    for (const code of ["job_failed", "job_cancelled"]) {
      await using server = await fakeServer(problem(code, 409, { remedy: "Submit it again." }));
      await expect(connect(server.url).job("j").result()).rejects.toMatchObject({ code, status: 409 });
    }
    await using server = await fakeServer(unfinished(9));
    await expect(connect(server.url).job("j").resultNow()).rejects.toMatchObject({ code: "job_not_finished" });
  });

  it("of many jobs comes with few connections: none waits long while others wait for its place", async () => {
    await using server = await fakeServer(json(200, done));
    const grid = connect(server.url, { connections: 2 });
    await Promise.all(Array.from({ length: 50 }, () => grid.job("j").result()));
    const waits = server.received.map(({ path }) => new URL(path, server.url).searchParams.get("wait"));
    expect(waits.filter((wait) => wait === "1").length).toBeGreaterThan(40);
  });
});
