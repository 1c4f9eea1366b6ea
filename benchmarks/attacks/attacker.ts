/**
 * One attack on a coordinator, as a process of its own, until it is killed: `attacker.ts KIND URL`. Each goes as fast as
 * it is let, from one address, and begins again when it is cut off. Attackers take no work, which would measure what held
 * leases cost, and not the attack.
 */
import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { socketPath, subprotocol } from "../../protocol/version.ts";
import { AttackNode } from "../../test/attacks/client.ts";

const [kind, url] = process.argv.slice(2) as [string, string];
const { port, hostname } = new URL(url);

const upgrade = `GET ${socketPath} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`;

function tcp(): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = createConnection({ port: Number(port), host: "127.0.0.1" });
    socket.on("error", () => {});
    socket.once("connect", () => resolve(socket));
    socket.once("close", () => resolve(socket));
  });
}

const ended = (socket: Socket): Promise<void> =>
  socket.destroyed ? Promise.resolve() : new Promise((resolve) => socket.once("close", () => resolve()));

/** A masked frame of no bytes. */
const emptyFrame = (opcode: number, isLast: boolean): Buffer =>
  Buffer.from([(isLast ? 0x80 : 0) | opcode, 0x80, 0, 0, 0, 0]);
const many = (frame: Buffer): Buffer => Buffer.concat(Array.from({ length: 1_000 }, () => frame));

/** Pours these bytes into welcomed connections. */
async function pour(first: Buffer | null, rest: Buffer): Promise<void> {
  for (;;) {
    const node = await new AttackNode(url, { slots: 0 }).join().catch(() => null);
    const raw = (node?.socket as unknown as { _socket: Socket } | undefined)?._socket;
    if (!raw) {
      await sleep(100);
      continue;
    }
    if (first) raw.write(first);
    while (!raw.destroyed) {
      if (raw.write(rest)) await sleep(0);
      else await Promise.race([new Promise((resolve) => raw.once("drain", resolve)), ended(raw)]);
    }
  }
}

const attacks: Record<string, () => Promise<void>> = {
  "a flood of pings": () => pour(null, many(emptyFrame(9, true))),
  "endless empty fragments": () => pour(emptyFrame(2, false), many(emptyFrame(0, false))),
  "a flood of handshakes": async () => {
    for (;;) {
      const sockets = await Promise.all(Array.from({ length: 100 }, tcp));
      for (const socket of sockets) socket.resume().write(upgrade);
      await sleep(50);
      for (const socket of sockets) socket.destroy();
    }
  },
  "slow headers, 2,000 connections": async () => {
    const one = async (): Promise<never> => {
      for (;;) {
        const socket = (await tcp()).resume();
        socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ");
        for (; !socket.destroyed; await sleep(1_000)) socket.write("a");
      }
    };
    await Promise.all(Array.from({ length: 2_000 }, one));
  },
  "heartbeats and progress": async () => {
    for (;;) {
      const node = await new AttackNode(url, { slots: 0 }).join().catch(() => null);
      while (node?.isOpen) {
        for (let message = 0; message < 50; message++) node.send({ type: "progress", leases: [] });
        await sleep(1);
      }
      await sleep(100);
    }
  },
  "results of nobody's lease, instantly": async () => {
    for (;;) {
      const node = await new AttackNode(url, { honest: true }).join().catch(() => null);
      while (node?.isOpen) {
        const [result] = node.sent;
        if (result) node.send(...Array.from({ length: 20 }, () => node.renumbered({ ...result, lease: "1.nobody's" })));
        await sleep(5);
      }
      await sleep(100);
    }
  },
  "joining and leaving": async () => {
    for (;;) {
      const node = await new AttackNode(url, { slots: 0 }).join().catch(() => null);
      node?.leave();
      await sleep(node ? 0 : 100);
    }
  },
};

const attack = attacks[kind];
if (!attack) throw new Error(`There is no attack "${kind}". There are: ${Object.keys(attacks).join(", ")}`);
await attack();
