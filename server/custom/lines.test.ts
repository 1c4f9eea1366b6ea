import { describe, expect, it } from "vitest";
import { inputOf, tasksOf } from "../../kernels/workloads/custom/inputs.ts";
import { payloadSchema } from "../../kernels/workloads/custom/payload.ts";
import workload from "../../kernels/workloads/custom/workload.ts";
import { indexLines, wholeLines } from "./lines.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
/** In pieces of some bytes, as from a disk. */
async function* cut(bytes: Uint8Array, piece: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}

describe("uploaded lines", () => {
  it.each([1, 2, 3, 5, 1_000])("are found in pieces of %i bytes", async (piece) => {
    const lines = await indexLines(cut(bytesOf("a\nbcd\r\n\nü"), piece));
    if (typeof lines === "string") throw new Error(lines);
    expect([lines.count, lines.longest, [...lines.offsets.subarray(0, 5)]]).toEqual([4, 4, [0, 2, 7, 8, 10]]);
  });

  it("end with the last break, if there is one", async () => {
    expect(await indexLines(cut(bytesOf("a\nb\n"), 9))).toMatchObject({ count: 2 });
    expect(await indexLines(cut(bytesOf("a\nb"), 9))).toMatchObject({ count: 2 });
    expect(await indexLines(cut(bytesOf(""), 9))).toBe("The file has no lines.");
  });

  it("are refused where one is too long, before all of it was read", async () => {
    let read = 0;
    const endless = (async function* () {
      for (;;) {
        read++;
        yield new Uint8Array(1 << 18).fill(120);
      }
    })();
    expect(await indexLines(endless)).toMatch(/Line 1 has more than 1048576 bytes/);
    expect(read).toBeLessThan(8);
  });

  it("more than first thought have their place too", async () => {
    const lines = await indexLines(cut(bytesOf("x\n".repeat(5_000)), 777));
    expect(lines).toMatchObject({ count: 5_000 });
    expect((lines as { offsets: Float64Array }).offsets[5_000]).toBe(10_000);
  });

  it("reach each task as its own, without breaks", async () => {
    const bytes = bytesOf('zero\none\r\n\n{"three":3}');
    const { count, longest, offsets } = (await indexLines(cut(bytes, 4))) as Exclude<
      Awaited<ReturnType<typeof indexLines>>,
      string
    >;
    const [blob, where] = ["a".repeat(64), "b".repeat(64)];
    const payload = payloadSchema.parse({
      language: "wasm",
      inputs: { blob, format: "lines" },
      admitted: {
        module: blob,
        bytes: 1,
        task_ms: 1,
        input_bytes: bytes.length,
        input_lines: { count, longest, offsets: where },
      },
    });
    expect(tasksOf(payload)).toBe(4);
    const files = {
      read: async (sha256: string, lo: number, hi: number) =>
        (sha256 === blob ? bytes : new Uint8Array(offsets.buffer)).slice(lo, hi),
    };
    for (const [lo, hi] of [
      [0, 4],
      [1, 3],
      [3, 4],
    ] as const) {
      const slice = { bytes: (await workload.inputs?.(payload, 0, lo, hi, files)) as Uint8Array, first: lo };
      const lines = Array.from({ length: hi - lo }, (_, at) =>
        new TextDecoder().decode(inputOf(payload, lo + at, slice)),
      );
      expect(lines).toEqual(["zero", "one", "", '{"three":3}'].slice(lo, hi));
      expect(() => inputOf(payload, hi, slice)).toThrow(RangeError);
    }
  });

  it("are tried as whole ones", () => {
    expect(new TextDecoder().decode(wholeLines(bytesOf("ab\ncd\nef")))).toBe("ab\ncd\n");
    expect(new TextDecoder().decode(wholeLines(bytesOf("ab")))).toBe("ab");
  });
});
