import { expect, it } from "vitest";
import { anonymous, type Caller, local, operator } from "../access/caller.ts";
import { TestGrid } from "../core/harness.ts";
import { shelfOf } from "./reading.ts";

const payload = "a".repeat(64);
const input = "b".repeat(64);
const open = "c".repeat(64);
const other: Caller = { kind: "key", id: "eve", scopes: ["submit", "read"], expiresAtMs: null };
const owner: Caller = { kind: "key", id: "ada", scopes: ["submit"], expiresAtMs: null };

const grid = new TestGrid();
grid.join("ann");
grid.submit("j", {}, { payloadBlob: payload }).input = input;
grid.join("idle", { slots: 0 });
const ports = {
  state: () => grid.state,
  session: (token: string) =>
    token.startsWith("of ") ? { node: token.slice(3), session: `session of ${token.slice(3)}` } : null,
  isPublic: (sha256: string) => sha256 === open,
};
const may = (sha256: string, token: string | null, caller: Caller = anonymous) => shelfOf(ports, sha256, token, caller);

it("lets a node read what it was handed, while the job is open", () => {
  expect([may(payload, "of ann"), may(input, "of ann")]).toEqual(["blobs", "blobs"]);
  expect([may("d".repeat(64), "of ann"), may(payload, "of idle"), may(payload, "forged"), may(payload, null)]).toEqual([
    null,
    null,
    null,
    null,
  ]);
});

it("lets its owner read it, readers of all jobs, and the operator", () => {
  for (const caller of [owner, other, local, operator(null)]) expect(may(payload, null, caller)).toBe("blobs");
  expect(may(payload, null, { ...other, scopes: ["submit"] })).toBeNull();
});

it("lets everybody read what its owner made public", () => {
  expect(may(open, null)).toBe("files");
});

it("is over with the session, and with the job", () => {
  grid.leave("ann").join("ann", { session: "another" });
  expect(may(payload, "of ann")).toBeNull();
  grid.do({ type: "cancel", job: "j", reason: { code: "cancelled", message: "" } });
  expect(may(payload, null, owner)).toBeNull();
});
