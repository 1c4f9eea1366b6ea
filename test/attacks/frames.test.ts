/** Frames that are huge, in a million pieces, broken, too many, or never read: memory stays, and honest work goes on. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ResultMessage } from "../../protocol/messages.ts";
import type { AttackNode } from "./client.ts";
import { AttackedGrid, closedMsMax, msUntilClosed, rssGrowthBytesMax } from "./grid.ts";

const grid = new AttackedGrid();
let own: AttackNode;
let honest: AttackNode;

beforeAll(async () => {
  await grid.start();
  own = await grid.ownNode();
  honest = await grid.node({ honest: true }).join();
  // What is compiled and cached by the first jobs is no attack's doing.
  for (let job = 0; job < 3; job++) await grid.jobMs();
}, 60_000);
afterAll(async () => {
  expect(honest.isOpen).toBe(true);
  await grid.end();
});

/** A masked client frame's header; its payload may never come. */
function frameHeader(opcode: number, isLast: boolean, length: number): Buffer {
  const first = (isLast ? 0x80 : 0) | opcode;
  if (length < 126) return Buffer.from([first, 0x80 | length, 0, 0, 0, 0]);
  const header = Buffer.alloc(14);
  header[0] = first;
  header[1] = 0x80 | 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

/** The raw connection below a node's WebSocket. */
const rawOf = (node: AttackNode) => (node.socket as unknown as { _socket: import("node:net").Socket })._socket;

/** Writes pieces until all are written or the other side is gone. */
async function pour(node: AttackNode, pieces: Iterable<Buffer>): Promise<void> {
  const raw = rawOf(node);
  for (const piece of pieces) {
    if (raw.destroyed || raw.closed) return;
    if (!raw.write(piece)) {
      await new Promise<void>((resolve) => {
        raw.once("drain", resolve);
        raw.once("close", resolve);
      });
    }
  }
}

function* repeat(piece: Buffer, times: number): Generator<Buffer> {
  for (let time = 0; time < times; time++) yield piece;
}

/** Runs the attack while an honest job is computed; returns the memory that it took. */
async function under(attack: () => Promise<void>): Promise<number> {
  return grid.growthOf(async () => {
    const [job] = await Promise.all([grid.submit(), attack()]);
    await grid.expectRight(job);
  });
}

test.each([
  ["before its hello", false],
  ["of a node that is known", true],
])("a frame that says it has 1 GiB, %s, closes its connection", async (_, known) => {
  const node = grid.node({ hello: known });
  if (known) await node.join();
  else await node.connect();
  const closed = msUntilClosed(rawOf(node), closedMsMax);
  const grown = await under(() => pour(node, [frameHeader(2, true, 2 ** 30), ...repeat(Buffer.alloc(1 << 20), 32)]));
  expect(await closed).not.toBeNull();
  expect(grown).toBeLessThan(rssGrowthBytesMax);
});

test("1 GiB in pieces of a megabyte closes its connection", async () => {
  const node = await grid.node().join();
  const closed = msUntilClosed(rawOf(node), closedMsMax);
  const piece = Buffer.concat([frameHeader(0, false, 1 << 20), Buffer.alloc(1 << 20)]);
  const first = Buffer.concat([frameHeader(2, false, 0), piece]);
  const grown = await under(() => pour(node, [first, ...repeat(piece, 64)]));
  expect(await closed).not.toBeNull();
  expect(grown).toBeLessThan(rssGrowthBytesMax);
});

test("a million empty fragments close their connection", async () => {
  const node = await grid.node().join();
  const closed = msUntilClosed(rawOf(node), closedMsMax);
  const thousand = Buffer.concat(Array.from({ length: 1_000 }, () => frameHeader(0, false, 0)));
  const grown = await under(async () => {
    await pour(node, [frameHeader(2, false, 0), ...repeat(thousand, 1_000)]);
  });
  expect(await closed).not.toBeNull();
  expect(grown).toBeLessThan(rssGrowthBytesMax);
});

test("a compressed frame is refused: compression was not agreed upon", async () => {
  const node = await grid.node().join();
  const closed = msUntilClosed(rawOf(node), closedMsMax);
  await pour(node, [Buffer.from([0x80 | 0x40 | 2, 0x80, 0, 0, 0, 0])]);
  expect(await closed).not.toBeNull();
});

test("frames of nonsense close their connection, however they are broken", async () => {
  for (const bytes of [Buffer.alloc(64, 0xff), Buffer.from([0xc1]), Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])]) {
    const node = await grid.node().join();
    const closed = msUntilClosed(rawOf(node), closedMsMax);
    node.sendRaw(bytes);
    expect(await closed).not.toBeNull();
  }
  const node = await grid.node().join();
  const closed = msUntilClosed(rawOf(node), closedMsMax);
  node.socket.send("text is not spoken here");
  expect(await closed).not.toBeNull();
});

test("a flood of pings and of heartbeats leaves memory and honest jobs alone", async () => {
  const node = await grid.node().join();
  const grown = await under(async () => {
    const ping = frameHeader(9, true, 0);
    await pour(node, repeat(Buffer.concat([...repeat(ping, 1_000)]), 100));
    for (let burst = 0; burst < 50; burst++) {
      for (let message = 0; message < 200; message++) node.send({ type: "progress", leases: [] });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  expect(grown).toBeLessThan(rssGrowthBytesMax);
  node.leave();
});

test("who asks for answers and reads none is cut off", async () => {
  await grid.jobMs();
  const wrong = { ...(honest.sent.at(-1) ?? own.sent.at(-1)), lease: "1.nobody's" } as ResultMessage;
  const attacker = await grid.node().join();
  const raw = rawOf(attacker);
  raw.pause();
  const closed = msUntilClosed(raw, 60_000);
  const grown = await grid.growthOf(async () => {
    const many = Array.from({ length: 500 }, () => attacker.renumbered(wrong));
    for (let time = 0; time < 200 && !raw.destroyed; time++) {
      attacker.send(...many);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  expect(grown).toBeLessThan(rssGrowthBytesMax);
  raw.resume();
  attacker.leave();
  expect(await closed).not.toBeNull();
  await grid.jobMs();
});
