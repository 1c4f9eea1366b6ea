import { describe, expect, it } from "vitest";
import { grainTasks } from "../../contract.ts";
import type { Ordered } from "../../ordered.ts";
import { within } from "./belief.ts";
import host from "./host.ts";
import { decodeSolution, encodeSolution, encodeTile } from "./layout.ts";
import type { LinpackPayload, MatmulPayload, SciencePayload } from "./payload.ts";
import { referenceBlock, referenceSolution, referenceTile } from "./reference.ts";
import workload from "./workload.ts";

const parse = (payload: unknown): SciencePayload => workload.payload.parse(payload);
const faultsOf = (payload: unknown): string[] =>
  (workload.payload.safeParse(payload).error?.issues ?? []).map(({ path }) => path.join("."));

const computed = (payload: SciencePayload, task: number): Uint8Array =>
  payload.problem === "matmul"
    ? encodeTile(referenceTile(payload, task))
    : payload.problem === "lu"
      ? encodeTile(referenceBlock(payload, task))
      : encodeSolution({ ...referenceSolution(payload, task), ms: 2 });

function mergedOf(payload: SciencePayload): Ordered<never> {
  const plan = workload.plan(payload);
  let merged: Ordered<never> | null = null;
  for (let task = 0; task < plan.tasks; task++) {
    const [lo, hi] = grainTasks(plan, task);
    const part = host.decode(payload, computed(payload, task)) as Ordered<never>;
    expect(host.check?.(payload, 0, lo, hi, part)).toBeNull();
    merged = merged ? (host.merge(merged, part) as Ordered<never>) : part;
  }
  return merged as Ordered<never>;
}

const tileWith = (payload: MatmulPayload, change: (entries: Float64Array | Float32Array) => void): string | null => {
  const tile = referenceTile(payload, 0);
  change(tile.entries);
  return host.check?.(payload, 0, 0, 1, host.decode(payload, encodeTile(tile))) ?? null;
};

describe("a product", () => {
  it("is put together from its tiles, and written for NumPy", async () => {
    const payload = parse({
      problem: "matmul",
      a: [
        [1, 2],
        [3, 4],
      ],
      b: [
        [5, 6],
        [7, 8],
      ],
    });
    const merged = mergedOf(payload);
    expect(host.finish(payload, merged)).toMatchObject({
      product: [
        [19, 22],
        [43, 50],
      ],
      seed: null,
      operations: 16,
    });
    const [file] = (await host.files?.(payload, merged)) ?? [];
    const { bytes } = file as { bytes: Uint8Array };
    const header = new TextDecoder("latin1").decode(bytes.subarray(0, 128));
    expect(header.slice(1, 6)).toBe("NUMPY");
    expect(header).toContain("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }");
    expect(bytes.length).toBe(128 + 32);
    expect([...new Float64Array(bytes.slice(128).buffer)]).toEqual([19, 22, 43, 50]);
  });

  it("has each tile where it belongs, over several groups of strips", async () => {
    const payload = parse({ problem: "matmul", rows: 130, inner: 3, columns: 1100, precision: "f32" }) as MatmulPayload;
    const [file] = (await host.files?.(payload, mergedOf(payload))) ?? [];
    const { bytes } = file as { bytes: Uint8Array };
    const product = new Float32Array(bytes.slice(bytes.length - 130 * 1100 * 4).buffer);
    const one = { ...payload, rows: 130, columns: 1100 };
    for (const [row, column, tile] of [
      [0, 0, 0],
      [129, 1099, 53],
      [64, 1023, 31],
    ] as const) {
      const { entries, width } = referenceTile(one, tile);
      expect(product[row * 1100 + column]).toBe(entries[(row % 64) * width + (column % 64)]);
    }
  });

  const double = parse({ problem: "matmul", rows: 64, inner: 300, columns: 64 }) as MatmulPayload;
  const single = { ...double, precision: "f32" as const };

  it("is refused where an entry is wrong by more than rounding, and not for what rounding may do", () => {
    for (const at of [0, 1000, 4095]) {
      expect(tileWith(double, (entries) => (entries[at] = (entries[at] as number) + 1e-8))).toMatch(/is off by/);
      expect(tileWith(single, (entries) => (entries[at] = (entries[at] as number) + 0.2))).toMatch(/is off by/);
    }
    expect(tileWith(double, (entries) => (entries[7] = (entries[7] as number) * (1 + 2 ** -50)))).toBeNull();
    expect(tileWith(single, (entries) => (entries[7] = (entries[7] as number) * (1 + 2 ** -22)))).toBeNull();
    for (const odd of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(tileWith(double, (entries) => (entries[9] = odd))).toMatch(/is off by/);
  });

  it("is refused as another tile, or of another size", () => {
    const tile = referenceTile(double, 0);
    expect(host.check?.(double, 0, 1, 2, host.decode(double, encodeTile(tile)))).toMatch(/tile 0, not 1/);
    const cut = encodeTile({ ...tile, height: 1, entries: tile.entries.slice(0, 64) });
    expect(host.check?.(double, 0, 0, 1, host.decode(double, cut))).toMatch(/1 x 64 entries, not 64 x 64/);
    expect(() => host.decode(double, cut.subarray(1))).toThrow(RangeError);
    expect(() => host.decode(double, new Uint8Array(3))).toThrow(RangeError);
  });

  it("of two devices agrees within what rounding explains", () => {
    const bytes = encodeTile(referenceTile(single, 0));
    const other = referenceTile(single, 0);
    other.entries[5] = (other.entries[5] as number) + 1e-5;
    const { disagreement } = within(single);
    expect(disagreement(bytes, encodeTile(other))).toBeNull();
    other.entries[5] = 100;
    expect(disagreement(bytes, encodeTile(other))).toMatch(/entry 5/);
  });

  it.each([
    [{ problem: "matmul" }, ["rows", "inner", "columns"]],
    [{ problem: "matmul", rows: 1, inner: 1, columns: 9000 }, ["columns"]],
    [{ problem: "matmul", rows: 8192, inner: 1, columns: 8192 }, ["columns"]],
    [{ problem: "matmul", a: [[1]] }, ["b"]],
    [{ problem: "matmul", a: [[1]], b: [[1]], seed: 1 }, ["seed"]],
    [{ problem: "matmul", a: [[1, 2], [3]], b: [[1], [2]] }, ["a"]],
    [{ problem: "matmul", a: [[1, 2]], b: [[1, 2]] }, ["b"]],
    [{ problem: "matmul", a: { rows: 1, columns: 1, base64: "AAAA" }, b: [[1]] }, ["a"]],
    [{ problem: "matmul", a: { rows: 1, columns: 1, base64: "AAAAAAAA8H8=" }, b: [[1]] }, ["a"]],
    [{ problem: "linpack", n: 5000 }, ["n"]],
    [{ problem: "qr" }, ["problem"]],
    [{}, ["problem"]],
  ])("%j is refused by its fields", (payload, fields) => {
    expect(faultsOf(payload)).toEqual(fields);
  });
});

describe("a system", () => {
  const payload = parse({ problem: "linpack", n: 100, runs: 3 }) as LinpackPayload;

  it("reports the rate that nodes measured, and the residual that the coordinator did", () => {
    const result = host.finish(payload, mergedOf(payload));
    const rate = ((2 / 3) * 1e6 + 1.5e4) / 2e6;
    expect(result).toMatchObject({ runs: 3, n: 100, gflops: { median: Number(rate.toPrecision(4)) } });
    expect((result as { residual: number }).residual).toBeGreaterThan(0);
    expect((result as { residual: number }).residual).toBeLessThan(16);
  });

  it("is refused where the solution is wrong, or another system's", () => {
    const fault = (change: (x: Float64Array) => void, run = 0): string | null => {
      const solution = decodeSolution(computed(payload, 0));
      change(solution.x);
      return host.check?.(payload, 0, run, run + 1, host.decode(payload, encodeSolution({ ...solution, run }))) ?? null;
    };
    expect(fault(() => {})).toBeNull();
    expect(fault((x) => (x[50] = (x[50] as number) + 1e-9))).toMatch(/residual/);
    expect(fault((x) => (x[0] = Number.NaN))).toMatch(/residual/);
    expect(fault(() => {}, 1)).toMatch(/residual/);
    expect(() => host.decode(payload, encodeSolution({ ms: 1, run: 0, x: new Float64Array(99) }))).toThrow(
      /99 numbers/,
    );
  });
});
