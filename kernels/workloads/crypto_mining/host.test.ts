import { describe, expect, it } from "vitest";
import { grainsOf, grainTasks } from "../../contract.ts";
import host from "./host.ts";
import { decodePartial, encodePartial, type Found } from "./layout.ts";
import { searchRange } from "./reference/search.ts";
import { blocks, compute, parse } from "./testing.ts";
import workload from "./workload.ts";

const genesis = blocks[0];
/** Two grains and a bit; the hit lies in the second. */
const payload = parse({ header: genesis.header, nonce_start: genesis.nonce - 600_000, nonces: 1_200_000 });
const small = parse({ header: genesis.header, nonces: 4000 });
const honest = searchRange(small, 0, 1);

const verdict = (found: Found) => host.check!(small, 0, 0, 1, host.decode(small, encodePartial(found)));

describe("the certificate", () => {
  it("holds for an honest partial", () => {
    expect(honest.shares.length).toBeGreaterThan(2);
    expect(verdict(honest)).toBeNull();
  });

  it("fails for a nonce whose hash is above the share target", () => {
    const nonce = honest.shares[0]!.nonce + 1;
    expect(verdict({ ...honest, shares: [{ extranonce: 0, nonce }] })).toMatch(/no share/);
  });

  it("fails for shares twice, out of order, out of range or of another extranonce", () => {
    const [one, two] = honest.shares;
    expect(verdict({ ...honest, shares: [one!, one!] })).toMatch(/order/);
    expect(verdict({ ...honest, shares: [two!, one!] })).toMatch(/order/);
    expect(verdict({ ...honest, shares: [{ extranonce: 0, nonce: 4000 }] })).toMatch(/range/);
    expect(verdict({ ...honest, shares: [{ extranonce: 1, nonce: one!.nonce }] })).toMatch(/range/);
  });

  it("fails for a wrong count of searched nonces", () => {
    expect(verdict({ ...honest, searched: 3999 })).toMatch(/4000 are due/);
  });

  it("refuses bytes that are no list of shares", () => {
    const bytes = encodePartial(honest);
    expect(() => decodePartial(bytes.slice(0, -1))).toThrow();
    expect(() => decodePartial(new Uint8Array(3))).toThrow();
  });
});

describe("a job of several grains", () => {
  it("merges to the same in every grouping, and finds the block", async () => {
    const plan = { tasks: workload.plan(payload).tasks, grainTasks: 8 };
    const count = grainsOf(plan);
    expect(count).toBe(3);
    const bytes = await Promise.all(
      Array.from({ length: count }, (_, grain) => compute(payload, ...grainTasks(plan, grain))),
    );
    const [a, b, c] = bytes.map((partial) => host.decode(payload, partial));
    const merged = host.merge(host.merge(a!, b!), c!);
    expect(host.merge(a!, host.merge(b!, c!))).toEqual(merged);
    expect(host.decode(payload, await compute(payload, 0, plan.tasks))).toEqual(merged);
    expect([a, b, c].map((partial) => host.enough!(payload, partial!))).toEqual([false, true, false]);
    expect(host.enoughOn).toBe("any");
    expect(host.finish(payload, merged)).toMatchObject({
      found: true,
      nonce: genesis.nonce,
      hash: genesis.hash,
      header: genesis.header,
      hashes: 1_200_000,
      best: { nonce: genesis.nonce, hash: genesis.hash },
    });
    expect(host.preview!(payload, a!)).toMatchObject({ hashes: 524_288, found: false });
  });

  it("says what it knows when nothing is found", () => {
    const partial = host.decode(small, encodePartial(honest));
    const result = host.finish(small, partial);
    expect(result).toMatchObject({ found: false, nonce: null, hash: null, header: null, hashes: 4000 });
    expect(result.shares).toBe(honest.shares.length);
    expect(result.best!.hash <= result.share_target && result.best!.hash > result.target).toBe(true);
  });
});

it("tells partials apart", () => {
  const { disagreement } = workload.belief(small, "wasm", "webgpu");
  const bytes = encodePartial(honest);
  expect(disagreement(bytes, bytes.slice())).toBeNull();
  expect(disagreement(bytes, encodePartial({ ...honest, shares: honest.shares.slice(1) }))).toMatch(/differ/);
});
