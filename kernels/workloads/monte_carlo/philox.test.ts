import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { describe, expect, it } from "vitest";
import { dartsOf, philox4x32 } from "./philox.ts";

/** Random123's published known answers (tests/kat_vectors, "philox4x32 10"): counter, key, answer. */
const known = [
  ["00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  ["ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  ["243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"],
].map((row) => row.map((words) => words.split(" ").map((word) => Number.parseInt(word, 16))));

/** The kernels' source, with its answers readable from outside; lane `at` has the counter and the others have junk. */
const probe = `
import { philox, philoxLanes, setPhiloxKey, word0, word1, word2, word3, lanes0, lanes1, lanes2, lanes3 } from "./philox";
export { setPhiloxKey };
const out: usize = memory.data(64, 16);
export function one(a: u32, b: u32, c: u32, d: u32): usize {
  philox(a, b, c, d);
  store<u32>(out, word0); store<u32>(out, word1, 4); store<u32>(out, word2, 8); store<u32>(out, word3, 12);
  return out;
}
export function four(a: u32, b: u32, c: u32, d: u32, at: i32): usize {
  if (ASC_FEATURE_SIMD) {
    philoxLanes(lane(a, at), lane(b, at), lane(c, at), lane(d, at));
    v128.store(out, lanes0); v128.store(out, lanes1, 16); v128.store(out, lanes2, 32); v128.store(out, lanes3, 48);
  }
  return out + (at << 2);
}
function lane(word: u32, at: i32): v128 {
  for (let i = 0; i < 4; i++) store<u32>(out + (i << 2), i == at ? word : 0x12345678 * <u32>i);
  return v128.load(out);
}`;

async function compiled() {
  const source = readFileSync(fileURLToPath(new URL("../../assembly/philox.ts", import.meta.url)), "utf8");
  let binary: Uint8Array | undefined;
  const texts: Record<string, string> = { "probe.ts": probe, "philox.ts": source };
  const { error, stderr } = await asc.main(
    ["probe.ts", "-O3", "--noAssert", "--runtime", "stub", "--enable", "simd", "-o", "probe.wasm"],
    {
      readFile: (name) => texts[name] ?? null,
      writeFile: (_name, content) => {
        if (typeof content !== "string") binary = content;
      },
      listFiles: () => [],
    },
  );
  if (!binary) throw error ?? new Error(stderr.toString());
  const { instance } = await WebAssembly.instantiate(binary as Uint8Array<ArrayBuffer>, { env: { abort: () => {} } });
  return instance.exports as {
    memory: WebAssembly.Memory;
    setPhiloxKey(low: number, high: number): void;
    one(...counter: number[]): number;
    four(...counterAndLane: number[]): number;
  };
}

describe("Philox4x32-10", () => {
  it("gives Random123's known answers in TypeScript", () => {
    for (const [counter, key, answer] of known) expect(philox4x32(counter!, key!)).toEqual(answer);
  });

  it("gives them in the kernels' source, one by one and in each lane", async () => {
    const kernel = await compiled();
    const words = (at: number, stride: number) =>
      [0, 1, 2, 3].map((i) => new DataView(kernel.memory.buffer).getUint32(at + i * stride, true));
    for (const [counter, key, answer] of known) {
      kernel.setPhiloxKey(key![0]!, key![1]!);
      expect(words(kernel.one(...counter!), 4)).toEqual(answer);
      for (let lane = 0; lane < 4; lane++) expect(words(kernel.four(...counter!, lane), 16)).toEqual(answer);
    }
  });

  it("deals the same darts in whatever pieces they are asked for", () => {
    const all = dartsOf(9n, 2 ** 40 + 1, 6);
    expect([...dartsOf(9n, 2 ** 40 + 1, 2), ...dartsOf(9n, 2 ** 40 + 3, 4)]).toEqual([...all]);
    expect(new Set(all).size).toBe(12);
    expect(all.every((value) => value > 0 && value < 1)).toBe(true);
  });
});
