/**
 * Writes vectors.json from the plain TypeScript reference, which shares no arithmetic with the kernels.
 *
 *   node --import tsx kernels/workloads/scientific_computing/reference/vectors.ts
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { grainsOf } from "../../../contract.ts";
import { encodeSolution, encodeTile } from "../layout.ts";
import { referenceBlock, referenceSolution, referenceTile } from "../reference.ts";
import workload from "../workload.ts";

const bytes = (numbers: number[]): string => Buffer.from(Float64Array.from(numbers).buffer).toString("base64");

const cases: { name: string; payload: unknown; grains?: number[] }[] = [
  { name: "a thin product, four tiles", payload: { problem: "matmul", rows: 3, inner: 20, columns: 200, seed: 7 } },
  {
    name: "a thin product in single precision, four tiles",
    payload: { problem: "matmul", rows: 5, inner: 33, columns: 200, precision: "f32", seed: 2 ** 40 + 5 },
  },
  {
    name: "several blocks of the inner index, a seed of 53 bits",
    payload: { problem: "matmul", rows: 9, inner: 700, columns: 7, seed: Number.MAX_SAFE_INTEGER },
  },
  {
    name: "several blocks in single precision",
    payload: { problem: "matmul", rows: 7, inner: 1000, columns: 13, precision: "f32" },
  },
  {
    name: "two groups of strips, the last corner",
    payload: { problem: "matmul", rows: 70, inner: 40, columns: 1100 },
    grains: [35],
  },
  {
    name: "numbers that are given, as rows and as base64",
    payload: {
      problem: "matmul",
      a: [
        [1, 2.5, -3],
        [4, 5, 6e10],
      ],
      b: { rows: 3, columns: 2, base64: bytes([0.1, -7, 1e-3, 8, 9, 1e15]) },
    },
  },
  {
    name: "given numbers in single precision",
    payload: { problem: "matmul", precision: "f32", a: [[1, 2.5, -3]], b: [[0.1], [4], [1e-9]] },
  },
  { name: "one number", payload: { problem: "matmul", rows: 1, inner: 1, columns: 1 } },
  { name: "a system within a block", payload: { problem: "linpack", n: 17, runs: 3, seed: 5 } },
  { name: "a system of three blocks", payload: { problem: "linpack", n: 150, seed: 2 ** 33 } },
  { name: "a block of a system that is solved together", payload: { problem: "lu", n: 66, seed: 9 }, grains: [1] },
  { name: "one equation", payload: { problem: "linpack", n: 1 } },
  {
    name: "a system in mixed precision, within a block",
    payload: { problem: "linpack", n: 9, precision: "mixed", runs: 2 },
  },
  {
    name: "a system of five blocks in mixed precision",
    payload: { problem: "linpack", n: 135, precision: "mixed", seed: 3 },
  },
  { name: "one equation in mixed precision", payload: { problem: "linpack", n: 1, precision: "mixed" } },
];

const written = cases.map(({ name, payload: raw, grains }) => {
  const payload = workload.payload.parse(raw);
  const count = grainsOf(workload.plan(payload));
  const chosen = grains ?? [...new Set([0, 1, count - 1])].filter((grain) => grain < count);
  return {
    name,
    payload: raw,
    grains: chosen.map((grain) => {
      const partial =
        payload.problem === "matmul"
          ? encodeTile(referenceTile(payload, grain))
          : payload.problem === "lu"
            ? encodeTile(referenceBlock(payload, grain))
            : encodeSolution(referenceSolution(payload, grain));
      return { grain, partialHex: Buffer.from(partial).toString("hex") };
    }),
  };
});
writeFileSync(
  fileURLToPath(new URL("../vectors.json", import.meta.url)),
  `${JSON.stringify({ cases: written }, null, 2)}\n`,
);
