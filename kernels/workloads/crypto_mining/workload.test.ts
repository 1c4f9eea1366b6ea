import { describe, expect, it } from "vitest";
import { grainsOf } from "../../contract.ts";
import { indexOf, NONCES_MAX, placeOf, sharesExpected, shareTargetOf, targetOf } from "./payload.ts";
import { block170, blocks, parse } from "./testing.ts";
import workload from "./workload.ts";

const { header } = blocks[0];
const { coinbase, merkle_branch } = block170;

describe("the payload", () => {
  it("takes a header with or without its nonce, and fills in the rest", () => {
    expect(workload.plan(parse({ header })).tasks).toBe(2 ** 16);
    expect(workload.plan(parse({ header: header.slice(0, 152) })).tasks).toBe(2 ** 16);
    for (const { payload } of workload.examples) parse(payload);
    workload.payload.parse(workload.calibration);
  });

  it("reads the target from the header's bits", () => {
    expect(targetOf(parse({ header }))).toBe(0xffffn << 208n);
    expect(targetOf(parse({ header: blocks[3].header }))).toBe(0x44b9f2n << 184n);
  });

  it.each([
    ["header", { header: "00" }, /160 hexadecimal digits/],
    ["header", { header: `zz${header.slice(2)}` }, /160 hexadecimal digits/],
    ["nonces", { header, nonces: 2 ** 32 + 1 }, /add coinbase/],
    ["nonces", { header, nonce_start: 10, nonces: 2 ** 32 - 9 }, /4294967286 are left/],
    ["nonces", { header, nonces: 0 }, /at least 1/],
    ["nonces", { header, nonces: NONCES_MAX + 1, coinbase, merkle_branch }, /extranonce_start/],
    ["nonces", { header, nonces: 2 ** 32 + 1, coinbase, merkle_branch, extranonce_start: 2 ** 32 - 1 }, /would pass/],
    ["nonce_start", { header, nonce_start: 2 ** 32 }, /at most/],
    ["target", { header, target: "ff" }, /64 hexadecimal digits/],
    ["target", { header: `${header.slice(0, 144)}00000000` }, /bits hold no target/],
    ["target", { header: `${header.slice(0, 144)}ffff0023` }, /bits hold no target/],
    ["merkle_branch", { header, coinbase }, /needed with coinbase/],
    ["merkle_branch", { header, merkle_branch }, /belongs to a coinbase/],
    ["extranonce_start", { header, extranonce_start: 1 }, /belongs to a coinbase/],
    ["coinbase.prefix", { header, merkle_branch, coinbase: { ...coinbase, prefix: "abc" } }, /pairs/],
    [
      "coinbase.extranonce_bytes",
      { header, merkle_branch, coinbase: { ...coinbase, extranonce_bytes: 3 } },
      /at least 4/,
    ],
  ])("refuses a bad %s", (path, payload, message) => {
    const { error } = workload.payload.safeParse(payload);
    const issue = error?.issues.find((one) => one.path.join(".") === path);
    expect(issue?.message).toMatch(message);
    expect(error?.issues).toHaveLength(1);
  });
});

describe("the plan", () => {
  const jobs = [1, 70_000, 2 ** 24, 2 ** 28, 2 ** 32].map((nonces) => parse({ header, nonces }));
  const long = [2 ** 40 + 1, NONCES_MAX].map((nonces) => parse({ header, nonces, coinbase, merkle_branch }));

  it("has at most 2^20 grains, of at least 2 tasks", () => {
    for (const payload of [...jobs, ...long]) {
      const plan = workload.plan(payload);
      expect(grainsOf(plan)).toBeLessThanOrEqual(2 ** 20);
      expect(plan.grainTasks).toBeGreaterThanOrEqual(2);
      expect(plan.grainTasks * 65_536).toBeLessThanOrEqual(2 ** 26);
    }
  });

  it("cuts a short job so that several nodes share it, and the calibration not at all", () => {
    expect(grainsOf(workload.plan(parse({ header, nonces: 2 ** 24 })))).toBe(128);
    expect(workload.plan(parse({ header })).grainTasks).toBe(64);
    expect(grainsOf(workload.plan(workload.calibration))).toBe(1);
  });

  it("expects eight shares in a full grain, unless hits are more frequent", () => {
    for (const payload of [...jobs.slice(2), ...long]) expect(sharesExpected(payload)).toBeCloseTo(8, 3);
    const easy = parse({ header, target: "f".repeat(64) });
    expect(shareTargetOf(easy)).toBe(2n ** 256n - 1n);
    expect(workload.plan(easy).needs.backends).toEqual(["wasm"]);
    expect(workload.plan(parse({ header })).needs.backends).toEqual(["wasm", "webgpu"]);
    expect(shareTargetOf(parse({ header, nonces: 3 }))).toBe(2n ** 256n - 1n);
  });

  it("describes tasks, places and costs", () => {
    const payload = parse({ header, nonces: 2 ** 33, nonce_start: 9, coinbase, merkle_branch, extranonce_start: 4 });
    expect(workload.task(payload, 0, 65_536)).toEqual({ extranonce: 5, nonce: 9, nonces: 65_536 });
    for (const index of [0, 2 ** 32 - 10, 2 ** 32 - 9, 2 ** 33 - 1]) {
      const { extranonce, nonce } = placeOf(payload, index);
      expect(indexOf(payload, extranonce, nonce)).toBe(index);
    }
    expect(workload.cost(parse({ header, nonces: 70_000 }), 0, 2)).toEqual({ operations: 70_000, bytes: 0 });
  });
});
