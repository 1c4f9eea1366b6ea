/** What leaves for a node keeps to the protocol's limits. */
import { expect, it } from "vitest";
import { decodeFromCoordinator } from "../../protocol/codec.ts";
import { limits } from "../../protocol/limits.ts";
import type { LeaseMessage } from "../../protocol/messages.ts";
import { Connections } from "./connections.ts";

function aLease(number: number, inputBytes: number): LeaseMessage {
  return {
    type: "lease",
    lease: `l${number}`,
    ticket: "t",
    job: "j",
    round: 0,
    lo: number,
    hi: number + 1,
    backend: "wasm",
    deadlineMs: 1_000,
    inputs: new Uint8Array(inputBytes),
  };
}

function connected(): { connections: Connections; sent: Uint8Array[]; told: string[] } {
  const sent: Uint8Array[] = [];
  const told: string[] = [];
  const connections = new Connections({
    dispatch: (events) => void told.push(...events.map(({ type }) => type)),
    knows: () => true,
    admit: () => 0,
    history: () => ({ acceptedSlices: 0, rejectedSlices: 0, coreSeconds: 0 }),
    coordinatorId: "c",
    joinToken: "token",
    hire: (token) => token === "instance",
    signResults: false,
    releaseToken: () => "token",
    note: () => {},
  });
  const socket = {
    send: (bytes: Uint8Array) => void sent.push(bytes),
    close: () => void told.push("closed"),
    bufferedBytes: () => 0,
  };
  const { closed } = connections.add(socket);
  closed();
  connections.add(socket);
  sent.length = 0;
  told.length = 0;
  return { connections, sent, told };
}

it("sends what a turn gathered in one frame", () => {
  const { connections, sent } = connected();
  for (let lease = 0; lease < 50; lease++) connections.send(2, aLease(lease, 100));
  connections.ack(2, 7, null);
  connections.flush();
  expect(sent).toHaveLength(1);
  expect(decodeFromCoordinator(sent[0] as Uint8Array)).toHaveLength(51);
  connections.closeAll("shutting_down", "over", 1);
});

it.each([
  { leases: 40, inputBytes: 300_000 },
  { leases: 3, inputBytes: limits.coordinatorFrameBytesMax - 10_000 },
  { leases: limits.frameMessagesMax + 5, inputBytes: 1 },
])("cuts $leases leases of $inputBytes bytes into frames that a node takes, in order", ({ leases, inputBytes }) => {
  const { connections, sent } = connected();
  for (let lease = 0; lease < leases; lease++) connections.send(2, aLease(lease, inputBytes));
  connections.flush();
  expect(sent.length).toBeGreaterThan(1);
  const received = sent.flatMap((frame) => decodeFromCoordinator(frame));
  expect(received.map((message) => (message.type === "lease" ? message.lo : -1))).toEqual(
    Array.from({ length: leases }, (_, index) => index),
  );
  connections.closeAll("shutting_down", "over", 1);
});

it("parts from a node whose results are refused again and again, and from no other", () => {
  const { connections, told } = connected();
  const refuse = (count: number): void => {
    for (let seq = 0; seq < count; seq++) connections.ack(2, seq, "no_lease");
  };
  refuse(limits.unacknowledgedResultsMax);
  connections.ack(2, 0, null);
  refuse(limits.unacknowledgedResultsMax);
  expect(told).toEqual([]);
  refuse(1);
  expect(told).toEqual(["closed", "disconnected"]);
  connections.closeAll("shutting_down", "over", 1);
});
