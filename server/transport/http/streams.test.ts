/** Event streams over a real connection: resuming, ending, slow readers, heartbeats, the live feed. */
import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { feedEventSchema, jobEventSchema } from "../../../protocol/rest.ts";
import { operatorToken, type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await testServer({ sse: { heartbeatMs: 30, queueBytesMax: 64 << 10, streamsMax: 3 } });
});
afterEach(async () => {
  expect(server.defects).toEqual([]);
  await server.close();
});

interface Event {
  id: string | undefined;
  event: string | undefined;
  data: unknown;
}

/** Reads events until the stream ends or `count` came. */
async function read(answer: Response, count = Number.POSITIVE_INFINITY): Promise<Event[]> {
  const events: Event[] = [];
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of answer.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(bytes, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
      const data = field("data");
      if (data !== undefined) events.push({ id: field("id"), event: field("event"), data: JSON.parse(data) });
    }
    if (events.length >= count) break;
  }
  return events;
}

const submit = async (): Promise<string> => {
  const answer = await server.ask("/api/v1.2/workload/submit", {
    json: { workload_type: "monte_carlo", payload: { a: 1 } },
  });
  return ((await answer.json()) as { task_id: string }).task_id;
};
const open = (id: string, after?: number) =>
  server.ask(
    `/api/v1.2/workload/${id}/events`,
    after === undefined ? {} : { headers: { "last-event-id": String(after) } },
  );
const until = async (condition: () => boolean): Promise<void> => {
  for (let tries = 0; tries < 200 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
};

test("a job's events, numbered, to its end", async () => {
  const id = await submit();
  const answer = await open(id);
  expect(answer.headers.get("content-type")).toMatch(/^text\/event-stream/);
  server.grid.move(id, "running", 0.1);
  server.grid.emit(id, { event: "partial", task_id: id, preview: { estimate: 3 }, fraction: 0.5 });
  server.grid.move(id, "completed", 1, 3.14);
  const events = await read(answer);
  expect(events.map(({ id: number, event }) => [number, event])).toEqual([
    ["1", "state"],
    ["2", "state"],
    ["3", "partial"],
    ["4", "state"],
  ]);
  for (const event of events) jobEventSchema.parse(event.data);
  expect(server.sse.open).toBe(0);
  expect(server.grid.kept.get(id)?.listeners.size).toBe(0);
});

test("resumes after Last-Event-ID; starts from the present when that is too old; 204 when all was seen", async () => {
  const id = await submit();
  server.grid.eventsKept = 3;
  for (const fraction of [0.2, 0.4, 0.6, 0.8]) server.grid.move(id, "running", fraction);
  server.grid.move(id, "completed", 1);
  expect((await read(await open(id, 4))).map((event) => event.id)).toEqual(["5", "6"]);
  expect((await read(await open(id, 1))).map((event) => event.id)).toEqual(["6"]);
  expect((await open(id, 6)).status).toBe(204);
  expect((await read(await open(id))).map((event) => event.id)).toEqual(["6"]);
  expect(server.sse.open).toBe(0);
});

test("a client that goes is forgotten; heartbeats come meanwhile", async () => {
  const id = await submit();
  const answer = await open(id);
  const reader = answer.body!.getReader();
  let text = "";
  while (!text.includes(": heartbeat\n\n: heartbeat")) text += new TextDecoder().decode((await reader.read()).value);
  await reader.cancel();
  await until(() => server.sse.open === 0);
  expect(server.grid.kept.get(id)?.listeners.size).toBe(0);
});

test("a client that does not read is cut off, and memory stays bounded", async () => {
  const id = await submit();
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(`GET /api/v1.2/workload/${id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  socket.pause();
  await until(() => server.sse.open === 1);
  const preview = "x".repeat(32 << 10);
  // Kernel buffers take some MiB before anything piles up here.
  for (let sent = 0; sent < 2_000 && server.sse.open > 0; sent++) {
    server.grid.emit(id, { event: "partial", task_id: id, preview, fraction: 0.5 });
    if (sent % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(server.sse.open).toBe(0);
  expect(server.sse.dropped).toBe(1);
  expect(server.grid.kept.get(id)?.listeners.size).toBe(0);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.resume();
  await closed;
});

test("the live feed: a snapshot, then changes; strangers do not see data", async () => {
  await submit();
  const mine = await server.ask("/api/v1.2/live", { headers: { authorization: `Bearer ${operatorToken}` } });
  const strangers = await server.ask("/api/v1.2/live", { headers: { "x-forwarded-for": "203.0.113.1" } });
  const { nodes: _, ...status } = server.grid.status();
  const jobs = [...server.grid.kept.values()].map((kept) => kept.job);
  server.grid.change({ event: "change", status, nodes: [], gone_nodes: ["n9"], jobs });
  for (const [answer, payload] of [
    [mine, { a: 1 }],
    [strangers, null],
  ] as const) {
    const events = await read(answer, 2);
    expect(events.map(({ id, event }) => [id, event])).toEqual([
      ["0", "snapshot"],
      ["1", "change"],
    ]);
    for (const event of events) expect(feedEventSchema.parse(event.data).jobs[0]?.payload).toEqual(payload);
  }
  await until(() => server.grid.feeds.size === 0);
});

test("the live feed resumes after Last-Event-ID, and begins with a snapshot where that number is unknown", async () => {
  const { nodes: _, ...status } = server.grid.status();
  for (const gone of ["a", "b"])
    server.grid.change({ event: "change", status, nodes: [], gone_nodes: [gone], jobs: [] });
  const from = async (id: number) => {
    const answer = await server.ask("/api/v1.2/live", { headers: { "last-event-id": String(id) } });
    return (await read(answer, 1)).map((event) => [event.id, event.event]);
  };
  expect(await from(1)).toEqual([["2", "change"]]);
  expect(await from(77)).toEqual([["2", "snapshot"]]);
  await until(() => server.grid.feeds.size === 0);
});

test("no more streams than the limit", async () => {
  const answers = await Promise.all([1, 2, 3].map(() => server.ask("/api/v1.2/live")));
  const refused = await server.ask("/api/v1.2/live");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "10"]);
  for (const answer of answers) await answer.body?.cancel();
  await until(() => server.sse.open === 0);
});
