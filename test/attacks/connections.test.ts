/** Connections that are slow, silent, many, or another page's: capped and closed, and nodes keep their leases. */
import type { Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { socketPath, subprotocol } from "../../protocol/version.ts";
import { gateLimits } from "../../server/transport/gate.ts";
import type { AttackNode } from "./client.ts";
import { AttackedGrid, closedMsMax, msUntilClosed, rssGrowthBytesMax } from "./grid.ts";

const grid = new AttackedGrid();
let own: AttackNode;

beforeAll(async () => {
  await grid.start();
  own = await grid.ownNode();
  for (let job = 0; job < 3; job++) await grid.jobMs();
}, 60_000);
afterAll(async () => {
  expect(own.isOpen).toBe(true);
  await grid.end();
});

/** What a lease with progress lasts at least: two of the shortest leases of these tests' timing. */
const heldMsMin = 5_900;

const upgrade = (headers: Record<string, string> = {}): string =>
  Object.entries({
    Host: `127.0.0.1:${grid.port}`,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": subprotocol,
    ...headers,
  }).reduce((text, [name, value]) => `${text}${name}: ${value}\r\n`, `GET ${socketPath} HTTP/1.1\r\n`);

/** The first line of what the other side says, or null where it says nothing in time. */
function firstLine(socket: Socket, ms = 10_000): Promise<string | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), ms);
    let text = "";
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      if (!text.includes("\r\n")) return;
      clearTimeout(timer);
      resolve(text.split("\r\n", 1)[0] as string);
    });
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(text === "" ? null : text);
    });
  });
}

test("headers that come a byte at a time are given up, of requests and of upgrades", async () => {
  const sockets = await Promise.all(Array.from({ length: 200 }, () => grid.tcp()));
  const texts = ["GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", upgrade()];
  const timers = sockets.map((socket, index) => {
    socket.write(texts[index % 2] as string);
    return setInterval(() => !socket.destroyed && socket.write("a"), 500);
  });
  // The deadline is ten seconds, looked at every five.
  const closed = sockets.map((socket) => msUntilClosed(socket.resume(), closedMsMax + 10_000));
  const grown = await grid.growthOf(async () => {
    await grid.jobMs();
    expect((await Promise.all(closed)).filter((ms) => ms === null)).toEqual([]);
  });
  for (const timer of timers) clearInterval(timer);
  expect(grown).toBeLessThan(rssGrowthBytesMax);
}, 60_000);

test("who upgrades and says nothing is sent away within ten seconds", async () => {
  const node = await grid.node({ hello: false }).connect();
  await node.until(() => !node.isOpen, "it may stay for ever", closedMsMax);
  expect(node.refusal?.code).toBe("hello_timeout");
});

test("a flood of handshakes is capped, and nobody loses a lease over it", async () => {
  const keeper = await grid.node().join();
  const job = await grid.submit(16_000_000);
  await keeper.until(() => keeper.leases.length > 0, "no lease came");
  let told = 0;
  const telling = setInterval(() => {
    told += 0.01;
    keeper.send({ type: "progress", leases: keeper.leases.map(({ lease }) => ({ lease, done: 0, fraction: told })) });
  }, 200);
  const sockets: Socket[] = [];
  const grown = await grid.growthOf(async () => {
    const answers: Promise<string | null>[] = [];
    for (let batch = 0; batch < 16; batch++) {
      const opened = await Promise.all(Array.from({ length: 100 }, () => grid.tcp()));
      for (const socket of opened) {
        answers.push(firstLine(socket));
        socket.write(`${upgrade()}\r\n`);
      }
      sockets.push(...opened);
    }
    const lines = await Promise.all(answers);
    const taken = lines.filter((line) => line?.includes(" 101 ")).length;
    expect(taken).toBeLessThanOrEqual(gateLimits.networkSilentMax);
    expect(lines.filter((line) => line?.includes(" 429 ")).length).toBe(lines.length - taken);
    expect(taken).toBeLessThan(lines.length);
  });
  expect(grown).toBeLessThan(rssGrowthBytesMax);
  clearInterval(telling);
  expect(keeper.isOpen).toBe(true);
  // Faster nodes copy what it does not compute, and progress that leads to no result holds a lease only so long;
  // nothing of it was given up as lost.
  const lost = keeper.revoked.filter(
    ({ reason, heldMs }) => !reason.startsWith("done") && !(reason === "deadline" && heldMs >= heldMsMin),
  );
  expect(lost).toEqual([]);
  for (const socket of sockets) socket.destroy();
  // The places are free again.
  await grid.node().join();
  keeper.leave();
  await grid.expectRight(job, 60_000);
}, 120_000);

test.each([
  ["another page's", { Origin: "https://evil.example" }, 403],
  ["a page's whose name only begins alike", { Origin: "http://127.0.0.1.evil.example" }, 403],
  ["an opaque origin's", { Origin: "null" }, 403],
])("%s socket is refused", async (_, headers, status) => {
  const socket = await grid.tcp();
  const line = firstLine(socket);
  socket.write(`${upgrade(headers)}\r\n`);
  expect(await line).toContain(` ${status} `);
});
