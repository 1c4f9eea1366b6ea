/** Every example of docs/protocol.md is a message, and every message has an example. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodeFromCoordinator, decodeFromNode, encodeToCoordinator, encodeToNode } from "./codec.ts";
import { type CoordinatorMessage, coordinatorMessageSchema, type NodeMessage, nodeMessageSchema } from "./messages.ts";

const page = readFileSync(new URL("../docs/protocol.md", import.meta.url), "utf8");

function examples(side: string): unknown[] {
  const blocks = page.matchAll(new RegExp(`\`\`\`json ${side}\n([\\s\\S]*?)\`\`\``, "g"));
  return [...blocks].map(([, text]) => JSON.parse(text as string, (_key, value) => bytesOf(value)));
}

const bytesOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "$bytes" in value
    ? new Uint8Array(Buffer.from(String(value.$bytes), "hex"))
    : value;

const typesOf = (schema: { options: readonly { shape: { type: { value: unknown } } }[] }): unknown[] =>
  schema.options.map((option) => option.shape.type.value);

describe("docs/protocol.md", () => {
  it("shows every message of the coordinator, as it goes over the wire", () => {
    const shown = examples("coordinator") as CoordinatorMessage[];
    expect(decodeFromCoordinator(encodeToNode(shown)).map(normal)).toEqual(shown);
    expect(new Set(shown.map((message) => message.type))).toEqual(new Set(typesOf(coordinatorMessageSchema as never)));
  });
  it("shows every message of a node, as it goes over the wire", () => {
    const shown = examples("node") as NodeMessage[];
    const decoded = decodeFromNode(encodeToCoordinator(shown)).map(normal);
    expect(decoded).toEqual(shown);
    expect(new Set(shown.map((message) => message.type))).toEqual(new Set(typesOf(nodeMessageSchema as never)));
  });
});

/** Node decodes byte strings as Buffers, which are Uint8Arrays of another class. */
const normal = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, normal(inner)]));
};
