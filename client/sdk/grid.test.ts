/** Calls over real connections: what is tried again, what is not, and what the caller is told. */
import { describe, expect, it } from "vitest";
import { connect } from "./grid.ts";
import { Http } from "./http.ts";
import { GridProblem } from "./problem.ts";
import { accepted, cut, fakeServer, json, problem, quick, silent } from "./testing/fake-server.ts";

const payload = { iterations: 10 };
const problemFrom = async (promise: Promise<unknown>): Promise<GridProblem> => {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof GridProblem) return error;
  throw new Error(`no problem but ${String(error)}`);
};

describe("a submission", () => {
  it("is one job however often it is sent: same key, same bytes", async () => {
    const jobs = new Map<string, number>();
    const remember = (key: unknown): void => void jobs.set(String(key), (jobs.get(String(key)) ?? 0) + 1);
    await using server = await fakeServer(
      cut,
      problem("storage_unavailable", 503),
      (request, response) => {
        // Accepted, but the answer is lost on its way.
        remember(request.headers["idempotency-key"]);
        response.writeHead(202, { "content-type": "application/json", "content-length": "500" });
        response.write('{"task_id": ');
        setTimeout(() => response.destroy(), 20);
      },
      (request, response) => {
        remember(request.headers["idempotency-key"]);
        return accepted(request, response);
      },
    );
    const told: string[] = [];
    const grid = connect(server.url, { retry: quick, onRetry: ({ code }) => told.push(code) });
    const job = await grid.submit("monte_carlo", payload, { priority: 8 });
    expect(job.id).toBe("job-1");
    expect(told).toEqual(["unreachable", "storage_unavailable", "unreachable"]);
    expect([...jobs.values()]).toEqual([2]);
    expect(new Set(server.received.map(({ body }) => body)).size).toBe(1);
    expect(JSON.parse(server.received[0]!.body)).toEqual({ workload_type: "monte_carlo", payload, priority: 8 });
    expect([...jobs.keys()][0]).toMatch(/^[0-9a-f]{32}$/);
  });

  it("says who pays, until when and for how much, and nothing of what is not given", async () => {
    await using server = await fakeServer(accepted, accepted);
    const grid = connect(server.url, { retry: quick });
    const deadline = new Date(Date.UTC(2999, 0, 1));
    await grid.submit("monte_carlo", payload, { supply: "paid", deadline, budget: 2.5, region: "eu-west-1" });
    await grid.submit("monte_carlo", payload);
    const [told, plain] = server.received.map(({ body }) => JSON.parse(body));
    const terms = { supply: "paid", deadline: "2999-01-01T00:00:00.000Z", budget: 2.5, region: "eu-west-1" };
    expect(told).toEqual({ workload_type: "monte_carlo", payload, ...terms });
    expect(plain).toEqual({ workload_type: "monte_carlo", payload });
  });

  it("of its own key says whether the job was there before, and each without one has a new key", async () => {
    await using server = await fakeServer((request, response) => {
      response.setHeader("idempotent-replayed", String(request.headers["idempotency-key"] === "mine"));
      return accepted(request, response);
    });
    const grid = connect(server.url, { retry: quick, key: "qk_secret" });
    expect((await grid.submit("monte_carlo", payload, { idempotencyKey: "mine" })).accepted.replayed).toBe(true);
    expect((await grid.submit("monte_carlo", payload)).accepted.replayed).toBe(false);
    await grid.submit("monte_carlo", payload);
    const keys = server.received.map(({ headers }) => headers["idempotency-key"]);
    expect(new Set(keys).size).toBe(3);
    expect(server.received[0]!.headers.authorization).toBe("Bearer qk_secret");
  });

  it("that is refused is a GridProblem with field, remedy and everything else, and is not sent again", async () => {
    const errors = [
      { field: "payload.iterations", message: "at least 1 path" },
      { field: "payload.samples", message: "at least 1 path in a batch" },
    ];
    const details = { detail: "at least 1 path", field: "payload.iterations", remedy: "Correct it", errors };
    await using server = await fakeServer(problem("invalid_payload", 422, details));
    const refused = await problemFrom(connect(server.url, { retry: quick }).submit("monte_carlo", { iterations: 0 }));
    expect(refused).toMatchObject({ code: "invalid_payload", status: 422, ...details });
    expect(refused.message).toBe("payload.iterations: at least 1 path. Correct it.");
    expect(JSON.parse(JSON.stringify(refused))).toMatchObject({ code: "invalid_payload", errors });
    expect(server.received).toHaveLength(1);
  });

  it("that no coordinator would take is not sent at all", async () => {
    await using server = await fakeServer(accepted);
    const grid = connect(server.url);
    expect(await problemFrom(grid.submit("later", "x".repeat(17 << 20)))).toMatchObject({
      code: "body_too_large",
      field: "payload",
    });
    expect(await problemFrom(grid.submit("later", {}, { idempotencyKey: "two\nlines" }))).toMatchObject({
      code: "invalid_argument",
      field: "idempotencyKey",
    });
    expect(await problemFrom(grid.submit("later", { seed: 7n }))).toMatchObject({
      code: "invalid_argument",
      field: "payload",
      remedy: expect.stringContaining("BigInt as a text"),
    });
    expect(server.received).toHaveLength(0);
  });
});

describe("failures that pass", () => {
  it("are tried again no sooner than Retry-After says", async () => {
    await using server = await fakeServer(
      problem("rate_limited", 429, {}, { "retry-after": "1" }),
      json(200, { nodes: [] }),
    );
    const startMs = performance.now();
    expect(await connect(server.url, { retry: quick }).nodes()).toEqual([]);
    expect(performance.now() - startMs).toBeGreaterThan(990);
  });

  it("are told at once when Retry-After is later than the caller would wait", async () => {
    await using server = await fakeServer(problem("overloaded", 503, {}, { "retry-after": "3600" }));
    const startMs = performance.now();
    const refused = await problemFrom(connect(server.url, { retry: quick }).nodes());
    expect(refused).toMatchObject({ code: "overloaded", retryAfterSeconds: 3600 });
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect(server.received).toHaveLength(1);
  });

  it("that do not pass end with the budget, and say what a proxy said", async () => {
    await using server = await fakeServer((_request, response) => {
      response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad gateway</h1>");
    });
    const refused = await problemFrom(connect(server.url, { retry: { ...quick, totalMs: 30 } }).nodes());
    expect(refused).toMatchObject({ code: "http_502", status: 502, remedy: expect.stringContaining("proxy") });
    expect(server.received.length).toBeGreaterThan(1);
  });

  it("of an answer that does not come in time are one of them", async () => {
    await using server = await fakeServer(silent, json(200, { nodes: [] }));
    const told: string[] = [];
    const options = { retry: quick, timeoutMs: 500, onRetry: ({ code }: GridProblem) => told.push(code) };
    expect(await connect(server.url, options).nodes()).toEqual([]);
    expect(told).toEqual(["timeout"]);
  });

  it("of an address where nobody answers name it, with less patience at first", async () => {
    const server = await fakeServer(silent);
    await server.stop();
    const grid = connect(server.url, { retry: { baseMs: 1, capMs: 1, totalMs: 1e9, firstMs: 20 } });
    const refused = await problemFrom(grid.nodes());
    expect(refused).toMatchObject({ code: "unreachable", status: 0 });
    expect(refused.message).toContain(`${server.url} does not answer (ECONNREFUSED)`);
  });
});

describe("a signal", () => {
  it("ends a request, a pause before the next one, and a place in the queue", async () => {
    await using server = await fakeServer(silent);
    const grid = connect(server.url, { connections: 1, retry: quick });
    const controllers = [new AbortController(), new AbortController()];
    const calls = controllers.map(({ signal }) => grid.nodes({ signal }));
    controllers[1]!.abort(new Error("no more"));
    await expect(calls[1]).rejects.toThrow("no more");
    controllers[0]!.abort(new Error("enough"));
    await expect(calls[0]).rejects.toThrow("enough");

    await using busy = await fakeServer(problem("overloaded", 503, {}, { "retry-after": "5" }));
    const controller = new AbortController();
    const onRetry = (): void => controller.abort(new Error("not that long"));
    const call = connect(busy.url, { retry: quick, onRetry }).nodes({ signal: controller.signal });
    await expect(call).rejects.toThrow("not that long");
  });
});

describe("one signal for many calls", () => {
  it("ends all of them, and Node warns of nothing", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    await using server = await fakeServer(silent);
    const controller = new AbortController();
    const grid = connect(server.url, { connections: 20 });
    const calls = Array.from({ length: 60 }, () => grid.nodes({ signal: controller.signal }));
    const ended = Promise.allSettled(calls);
    await new Promise((resolve) => setTimeout(resolve, 50));
    controller.abort(new Error("enough"));
    expect(new Set((await ended).map((one) => one.status === "rejected" && one.reason.message))).toEqual(
      new Set(["enough"]),
    );
    await expect(grid.nodes({ signal: controller.signal })).rejects.toThrow("enough");
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
  });
});

describe("requests at once", () => {
  it("are no more than asked for", async () => {
    let now = 0;
    let most = 0;
    await using server = await fakeServer((request, response) => {
      now++;
      most = Math.max(most, now);
      setTimeout(() => {
        now--;
        void accepted(request, response);
      }, 5);
    });
    const grid = connect(server.url, { connections: 3 });
    await Promise.all(Array.from({ length: 20 }, () => grid.submit("monte_carlo", payload)));
    expect(most).toBe(3);
    expect(server.received).toHaveLength(20);
  });
});

describe("lists", () => {
  it("are fetched page by page as the loop goes on", async () => {
    await using server = await fakeServer(
      json(200, { jobs: [{ task_id: "3" }, { task_id: "2" }], next_cursor: "c 1" }),
      json(200, { jobs: [{ task_id: "1" }], next_cursor: null }),
    );
    const seen: string[] = [];
    for await (const job of connect(server.url).jobs({ state: "running", workloadType: "monte_carlo" })) {
      seen.push(job.task_id);
      if (seen.length === 2) expect(server.received).toHaveLength(1);
    }
    expect(seen).toEqual(["3", "2", "1"]);
    expect(server.received.map(({ path }) => path)).toEqual([
      "/api/v1.2/workload?limit=100&state=running&workload_type=monte_carlo",
      "/api/v1.2/workload?limit=100&state=running&workload_type=monte_carlo&cursor=c+1",
    ]);
  });
});

describe("an answer", () => {
  it("is read up to its bound, and no further", async () => {
    await using server = await fakeServer(json(200, { text: "x".repeat(5_000) }));
    const rest = {
      base: server.url,
      key: null,
      fetch,
      retry: quick,
      timeoutMs: 5_000,
      connections: 1,
      onRetry: () => {},
    };
    const ask = (answerBytesMax: number) => new Http({ ...rest, answerBytesMax }).json({ path: "/" });
    expect((await ask(6_000)).value).toMatchObject({ text: expect.any(String) });
    expect(await problemFrom(ask(4_000))).toMatchObject({ code: "answer_too_large", remedy: "Ask for less" });
  });
});

describe("what is no coordinator", () => {
  it("is said to be none", async () => {
    await using page = await fakeServer((_request, response) => response.end("<title>Hello</title>") as never);
    expect(await problemFrom(connect(page.url).nodes())).toMatchObject({ code: "bad_answer", status: 200 });
    await using elsewhere = await fakeServer(json(301, {}, { location: "https://grid.example.org/" }));
    const led = await problemFrom(connect(elsewhere.url).nodes());
    expect(led).toMatchObject({ code: "redirected", field: "url" });
    expect(led.message).toContain("https://grid.example.org/");
  });
  it("arguments that cannot be right are refused before anything is asked", () => {
    const refused = (call: () => unknown): string | undefined => {
      try {
        call();
      } catch (error) {
        if (error instanceof GridProblem && error.code === "invalid_argument") return error.field;
        throw error;
      }
      throw new Error("it was taken");
    };
    for (const url of ["localhost:8000", "ftp://host", "", "http://u:p@host", "http://host/?key=1", "http://host/#x"]) {
      expect([url, refused(() => connect(url))]).toEqual([url, "url"]);
    }
    expect(refused(() => connect("http://host", { key: "two words" }))).toBe("key");
    expect(refused(() => connect("http://host", { connections: 0 }))).toBe("connections");
    expect(refused(() => connect("http://host").job("../keys"))).toBe("id");
  });
  it("an address may have a path, as behind a proxy", async () => {
    await using server = await fakeServer(json(200, { nodes: [] }));
    await connect(`${server.url}/grid/`).nodes();
    expect(server.received[0]!.path).toBe("/grid/api/v1.2/nodes");
  });
});
