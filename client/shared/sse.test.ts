import { expect, test } from "vitest";
import { SseParser } from "./sse.ts";

const stream = 'retry: 2000\n\n: heartbeat\n\nid: 7\r\nevent: snapshot\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata: x\n\n';

test("events are the same however the stream is cut", () => {
  const expected = [
    { event: "snapshot", data: '{"a":\n1}', id: "7" },
    { event: "message", data: "x", id: "7" },
  ];
  for (let size = 1; size <= stream.length; size++) {
    const parser = new SseParser();
    const seen = [];
    for (let at = 0; at < stream.length; at += size) seen.push(...parser.push(stream.slice(at, at + size)));
    expect(seen).toEqual(expected);
  }
});
