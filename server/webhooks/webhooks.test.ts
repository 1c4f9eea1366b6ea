import { generateKeyPairSync, sign, verify } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { CoreWrite } from "../core/events.ts";
import { createState } from "../core/grid.ts";
import type { Write } from "../store/store.ts";
import { Webhooks } from "./webhooks.ts";
import { hooksRoom, outboxRoom } from "./words.ts";

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const state = createState();
let received: { headers: IncomingHttpHeaders; body: string }[];
let answers: number[];
let receiver: Server;
let record: Map<string, string>;
let clock: number;
let told: string[];

beforeEach(async () => {
  [received, answers, record, clock, told] = [[], [], new Map(), 1_000_000, []];
  receiver = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      received.push({ headers: request.headers, body });
      response.writeHead(answers.shift() ?? 204, { location: "http://127.0.0.1:1/" }).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
});
afterEach(() => new Promise((resolve) => receiver.close(resolve)));

const url = (): string => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
const keep = (writes: readonly Write[]): void => {
  for (const write of writes) {
    if (write.type !== "document.put") continue;
    if (write.value === null) record.delete(`${write.room} ${write.key}`);
    else record.set(`${write.room} ${write.key}`, write.value);
  }
};
const kept = (room: string): string[] => [...record.keys()].filter((key) => key.startsWith(`${room} `));

function webhooks(): Webhooks {
  return new Webhooks({
    documents: async (room) =>
      kept(room).map((key) => ({ key: key.slice(room.length + 1), value: record.get(key) as string })),
    written: async (writes) => keep(writes),
    jobView: async () => null,
    sign: (text) => new Uint8Array(sign(null, Buffer.from(text), privateKey)),
    log: (code) => told.push(code),
    now: () => clock,
    fetch,
    sealMs: 10_000_000,
    retryMs: [1_000, 2_000],
  });
}
const inserted = (job: string): CoreWrite => ({
  type: "job.insert",
  job,
  record: { payloadJson: null, idempotencyKey: null, bodyHash: null, webhook: url() },
});
const ended = (job: string, revision = 1): CoreWrite =>
  ({ type: "job.ended", job, state: "completed", revision }) as never;

async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 5_000; !holds(); await new Promise((resolve) => setTimeout(resolve, 5)))
    if (Date.now() > end) throw new Error(`it did not come true; received ${received.length}`);
}

it("tells of an end once it is durable, signed, and then forgets it", async () => {
  const hooks = webhooks();
  keep(hooks.follows(inserted("a"), state, clock));
  keep(hooks.follows(ended("a"), state, clock));
  hooks.pump();
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(received).toEqual([]);
  hooks.durable("a");
  await until(() => hooks.pending === 0);
  const [{ headers, body }] = received as [(typeof received)[0]];
  expect(JSON.parse(body)).toMatchObject({ type: "job.completed", data: { task_id: "a", revision: 1 } });
  const [scheme, signature] = String(headers["webhook-signature"]).split(",") as [string, string];
  expect(scheme).toBe("v1a");
  const text = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  expect(verify(null, Buffer.from(text), publicKey, Buffer.from(signature, "base64"))).toBe(true);
  expect(kept(outboxRoom)).toEqual([]);
  expect(kept(hooksRoom)).toHaveLength(1);
});

it("says that an output is taken back, under the next revision", async () => {
  const hooks = webhooks();
  for (const write of [
    inserted("a"),
    ended("a"),
    { type: "job.reopen", job: "a", round: 0, revision: 2 },
    ended("a", 2),
  ]) {
    keep(hooks.follows(write as CoreWrite, state, clock));
    hooks.durable("a");
    await until(() => hooks.pending === 0);
  }
  expect(received.map(({ body }) => JSON.parse(body).type)).toEqual([
    "job.completed",
    "job.retracted",
    "job.completed",
  ]);
  expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(3);
});

it("tells again under the same id until it is taken, over a restart too", async () => {
  answers = [500, 302];
  let hooks = webhooks();
  keep(hooks.follows(inserted("a"), state, clock));
  keep(hooks.follows(ended("a"), state, clock));
  hooks.durable("a");
  await until(() => received.length === 1);
  expect(kept(outboxRoom)).toHaveLength(1);
  // A new process reads what is left from the record. A redirect is no answer.
  hooks = webhooks();
  await hooks.load();
  hooks.pump();
  await until(() => received.length === 2);
  // The answer may be on its way back still: time passes until it was heard, and for a while more.
  await until(() => {
    clock += 100;
    hooks.pump();
    return hooks.pending === 0;
  });
  expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  expect(kept(outboxRoom)).toEqual([]);
});

it("gives up after the last attempt, and says so", async () => {
  answers = [500, 500, 500, 500];
  const hooks = webhooks();
  keep(hooks.follows(inserted("a"), state, clock));
  keep(hooks.follows(ended("a"), state, clock));
  hooks.durable("a");
  await until(() => {
    clock += 100;
    hooks.pump();
    return hooks.pending === 0;
  });
  expect(received).toHaveLength(3);
  expect(told).toEqual(["webhook_given_up"]);
  expect(kept(outboxRoom)).toEqual([]);
});

it("forgets who wanted to hear of a job that is sealed", () => {
  const hooks = webhooks();
  keep(hooks.follows(inserted("a"), state, clock));
  keep(hooks.follows(ended("a"), state, clock));
  hooks.pump();
  expect(kept(hooksRoom)).toHaveLength(1);
  clock += 20_000_000;
  hooks.pump();
  expect(kept(hooksRoom)).toEqual([]);
});
