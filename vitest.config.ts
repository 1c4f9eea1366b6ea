import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/**
 * Seven projects, one after the other, save that the simulator's tests (sim) and those of shaders (gpu) share the cores.
 * Files run side by side, save those that measure memory and time under attack (attacks) or drive browsers (e2e).
 */
const never = ["**/node_modules/**", "dist/**", ".cache/**", ".tsbuild/**", "data/**"];
/** What computes on a browser's graphics adapter, which is software here, and drives no page. */
const gpuTests = ["kernels/**/*.gpu.test.ts"];
/** What drives a page, beside `test/e2e`. */
const pageTests = ["benchmarks/tab/smoke.test.ts"];
/** What starts the coordinator, workers or compilers as processes: half a minute each, on a busy machine more. */
const programTests = [
  "native-worker/{main,node}.test.ts",
  "test/{client,setup}/**/*.test.ts",
  "benchmarks/{grid,kernels}/smoke.test.ts",
];

/** Vitest leaves a core free, which of two is half of them. */
const sideBySide = Math.max(2, availableParallelism() - 1);

/** Processes, not threads: a crash of a native module then fails one file, and not the run. */
const shared = { pool: "forks" as const, environment: "node" as const };

export default defineConfig({
  test: {
    passWithNoTests: false,
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          maxWorkers: sideBySide,
          include: ["**/*.test.ts"],
          exclude: [...never, "test/{sim,chaos,faults,attacks,e2e}/**", ...gpuTests, ...pageTests, ...programTests],
          testTimeout: 15_000,
          hookTimeout: 15_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: "programs",
          maxWorkers: sideBySide,
          include: programTests,
          exclude: never,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...shared,
          name: "sim",
          maxWorkers: sideBySide,
          include: ["test/sim/**/*.test.ts"],
          exclude: never,
          testTimeout: 10 * 60_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...shared,
          name: "gpu",
          maxWorkers: sideBySide,
          include: gpuTests,
          exclude: never,
          testTimeout: 3 * 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...shared,
          name: "chaos",
          include: ["test/chaos/**/*.test.ts", "test/faults/**/*.test.ts"],
          exclude: never,
          maxWorkers: sideBySide,
          testTimeout: 10 * 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          ...shared,
          name: "attacks",
          include: ["test/attacks/**/*.test.ts"],
          exclude: never,
          maxWorkers: 1,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 4 },
        },
      },
      {
        test: {
          ...shared,
          name: "e2e",
          include: ["test/e2e/**/*.test.ts", ...pageTests],
          exclude: never,
          maxWorkers: 1,
          testTimeout: 3 * 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 5 },
        },
      },
    ],
  },
});
