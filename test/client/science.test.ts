/** Linear algebra on the real grid: a product as a file, and a system solved together while workers are killed. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { connect } from "../../client/sdk/index.ts";
import { type RunningGrid, startGrid } from "../e2e/grid-process.ts";

let grid: RunningGrid;
beforeAll(async () => {
  grid = await startGrid();
  grid.worker({ own: true });
});
afterAll(() => grid?.end());

it("multiplies matrices, and gives the product as NumPy's file", async () => {
  const sdk = connect(grid.url);
  const [rows, inner, columns] = [130, 40, 70];
  const a = Array.from({ length: rows }, (_, i) => Array.from({ length: inner }, (_, k) => ((i * 7 + k * 3) % 11) - 5));
  const b = Array.from({ length: inner }, (_, k) => Array.from({ length: columns }, (_, j) => ((k * 5 + j) % 13) - 6));
  const job = await sdk.submit("scientific_computing", { problem: "matmul", a, b });
  expect(await job.result()).toMatchObject({ rows, inner, columns, product: null });
  const file = await job.file("product.npy");
  const product = new Float64Array(file.slice(file.length - rows * columns * 8).buffer);
  for (const [i, j] of [
    [0, 0],
    [63, 64],
    [129, 69],
  ] as const) {
    const due = (a[i] as number[]).reduce((sum, value, k) => sum + value * ((b[k] as number[])[j] as number), 0);
    expect(product[i * columns + j]).toBe(due);
  }
});

it("solves a system over eight rounds, although workers come and go", async () => {
  const doomed = [grid.worker({ own: true }), grid.worker({ own: true })];
  const job = await connect(grid.url).submit("scientific_computing", { problem: "lu", n: 512, seed: 4 });
  setTimeout(() => doomed[0]?.kill("SIGKILL"), 300);
  setTimeout(() => doomed[1]?.kill("SIGKILL"), 900);
  const result = (await job.result()) as { solution: number[]; residual: number; rounds: number };
  expect([result.rounds, result.solution.length]).toEqual([8, 512]);
  expect(result.residual).toBeLessThan(1);
}, 90_000);
