import { defineConfig } from "vitest/config";

/**
 * Four projects. Unit tests run side by side; the others run after them, one file at a time, because they measure time
 * in virtual steps on all cores (sim), kill processes (chaos) or drive browsers (e2e).
 */
const browserTests = "kernels/conformance.gpu.test.ts";
const never = ["**/node_modules/**", "dist/**", ".cache/**", ".tsbuild/**", "data/**"];

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
          include: ["**/*.test.ts"],
          exclude: [...never, "test/sim/**", "test/chaos/**", "test/faults/**", "test/e2e/**", browserTests],
          testTimeout: 15_000,
          hookTimeout: 15_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: "sim",
          include: ["test/sim/**/*.test.ts"],
          exclude: never,
          testTimeout: 10 * 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...shared,
          name: "chaos",
          include: ["test/chaos/**/*.test.ts", "test/faults/**/*.test.ts"],
          exclude: never,
          maxWorkers: 1,
          testTimeout: 10 * 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...shared,
          name: "e2e",
          include: ["test/e2e/**/*.test.ts", browserTests],
          exclude: never,
          maxWorkers: 1,
          testTimeout: 3 * 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
