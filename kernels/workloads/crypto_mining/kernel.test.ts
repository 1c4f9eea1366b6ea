import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { grainTasks } from "../../contract.ts";
import host from "./host.ts";
import { decodePartial, encodePartial, paramsOf, SHARES_MAX } from "./layout.ts";
import { type MiningPayload, tasksOf } from "./payload.ts";
import { searchRange } from "./reference/search.ts";
import { type Build, block170, blocks, compute, parse } from "./testing.ts";
import vectors from "./vectors.json";
import workload from "./workload.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const builds: Build[] = ["simd", "scalar"];

/** What a job finds when all of its tasks are one grain. */
async function search(payload: MiningPayload, build: Build) {
  const tasks = tasksOf(payload);
  const partial = host.decode(payload, await compute(payload, 0, tasks, build));
  expect(host.check!(payload, 0, 0, tasks, partial)).toBeNull();
  return host.finish(payload, partial);
}

describe.each(builds)("the %s kernel", (build) => {
  for (const { name, payload: raw, grains } of vectors.cases) {
    it(`gives the vector: ${name}`, async () => {
      const payload = parse(raw);
      for (const { grain, partialHex } of grains) {
        const [lo, hi] = grainTasks(workload.plan(payload), grain);
        expect(hex(await compute(payload, lo, hi, build))).toBe(partialHex);
      }
    });
  }

  it.each(blocks)("finds the nonce of Bitcoin's block $height", async ({ header, nonce, hash }) => {
    const payload = parse({ header, nonce_start: nonce - 30_000, nonces: 50_000 });
    expect(await search(payload, build)).toMatchObject({ found: true, nonce, hash, header, extranonce: null });
  });

  it("finds block 170 from its coinbase and merkle branch, at its extranonce", async () => {
    const { header, coinbase, merkle_branch, extranonce, nonce, hash } = block170;
    const before = 2 ** 32 - 3000;
    const near = { header, coinbase, merkle_branch, extranonce_start: extranonce };
    const payload = parse({ ...near, nonce_start: nonce - 20_000, nonces: 21_000 });
    expect(await search(payload, build)).toMatchObject({ found: true, nonce, hash, extranonce: "001d0102" });
    const elsewhere = parse({ ...near, extranonce_start: extranonce - 1, nonce_start: before, nonces: 6000 });
    const partial = await compute(elsewhere, 0, 1, build);
    expect(hex(partial)).toBe(hex(encodePartial(searchRange(elsewhere, 0, 1))));
    expect(new Set(decodePartial(partial).shares.map((share) => share.extranonce)).size).toBe(2);
  });

  it("counts a hash equal to the target as a hit, and one above it not", async () => {
    const { header, nonce, hash } = blocks[0];
    const near = { header, nonce_start: nonce - 9, nonces: 20 };
    expect(await search(parse({ ...near, target: hash }), build)).toMatchObject({ found: true, nonce });
    const below = (BigInt(`0x${hash}`) - 1n).toString(16).padStart(64, "0");
    expect(await search(parse({ ...near, target: below }), build)).toMatchObject({ found: false, hashes: 20 });
  });

  it("ends a grain at the share that fills its list", async () => {
    const payload = parse({ header: blocks[1].header, nonce_start: 3, nonces: 5000, target: "f".repeat(64) });
    const partial = await compute(payload, 0, 1, build);
    const found = decodePartial(partial);
    expect(found.searched).toBe(SHARES_MAX);
    expect(found.shares.at(-1)).toEqual({ extranonce: 0, nonce: 3 + SHARES_MAX - 1 });
    expect(host.check!(payload, 0, 0, 1, host.decode(payload, partial))).toBeNull();
    expect(await search(payload, build)).toMatchObject({ found: true, nonce: 3 });
  });

  it("agrees with the system's SHA-256 on random headers and ranges", async () => {
    const bytes = (length: number) =>
      fc.uint8Array({ minLength: length, maxLength: length }).map((value) => Buffer.from(value).toString("hex"));
    const coinbase = fc.record({
      prefix: fc.integer({ min: 0, max: 200 }).chain(bytes),
      suffix: fc.integer({ min: 0, max: 200 }).chain(bytes),
      extranonce_bytes: fc.integer({ min: 4, max: 8 }),
    });
    const plain = fc.record({ header: bytes(76), nonce_start: fc.integer({ min: 0, max: 2 ** 32 - 2000 }) });
    const mined = fc.record({
      header: bytes(80),
      nonce_start: fc.integer({ min: 2 ** 32 - 1500, max: 2 ** 32 - 1 }),
      coinbase,
      merkle_branch: fc.array(bytes(32), { maxLength: 5 }),
      extranonce_start: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
    });
    const job = fc.tuple(
      fc.oneof(plain, mined),
      fc.integer({ min: 1, max: 1500 }),
      fc.constantFrom("00ff", "001f", "0"),
    );
    await fc.assert(
      fc.asyncProperty(job, async ([fields, nonces, top]) => {
        const payload = parse({ ...fields, nonces, target: top.padEnd(64, "f") });
        expect(hex(await compute(payload, 0, 1, build))).toBe(hex(encodePartial(searchRange(payload, 0, 1))));
      }),
      { numRuns: 40 },
    );
  });

  it("starts at any task, and ends with the job's last nonce", async () => {
    const payload = parse({ header: blocks[2].header, nonce_start: 12_345, nonces: 3 * 65_536 + 77 });
    for (const [lo, hi] of [
      [1, 2],
      [2, 4],
      [3, 4],
    ] as const) {
      expect(hex(await compute(payload, lo, hi, build))).toBe(hex(encodePartial(searchRange(payload, lo, hi))));
    }
  });
});

it("refuses parameters of a wrong length", async () => {
  const payload = parse({ header: blocks[0].header });
  const whole = paramsOf(payload);
  for (const params of [whole.slice(0, 100), new Uint8Array([...whole, 0, 0, 0, 0])]) {
    const broken = { ...workload, params: () => params };
    await expect(compute(payload, 0, 1, "simd", broken)).rejects.toMatchObject({ reason: "invalid_params" });
  }
});

it("puts the shader's shares into the order of the search", () => {
  const payload = parse({ ...pick(block170), nonce_start: 2 ** 32 - 100, nonces: 200, extranonce_start: 5 });
  const shares = [
    { extranonce: 5, nonce: 2 ** 32 - 2 },
    { extranonce: 6, nonce: 1 },
    { extranonce: 6, nonce: 70 },
  ];
  const output = new Uint8Array(workload.gpu!.outputBytes(payload));
  const view = new DataView(output.buffer);
  view.setUint32(0, 3, true);
  for (const [index, at] of [2, 0, 1].entries()) {
    view.setUint32(4 + 8 * index, shares[at]!.extranonce, true);
    view.setUint32(8 + 8 * index, shares[at]!.nonce, true);
  }
  expect(decodePartial(workload.gpu!.decode(payload, 0, 0, 1, output))).toEqual({ searched: 200, shares });
  view.setUint32(0, SHARES_MAX + 1, true);
  expect(() => workload.gpu!.decode(payload, 0, 0, 1, output)).toThrow(/fit/);
});

function pick({ header, coinbase, merkle_branch }: typeof block170) {
  return { header, coinbase, merkle_branch };
}
