import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Workload } from "../contract.ts";
import mining from "../workloads/crypto_mining/workload.ts";
import { CHUNKS_MAX, type Chunk, Chunks, GpuPaces, paceKey } from "./gpu-chunks.ts";
import type { GrainRun } from "./grains.ts";

const runOf = (fields: Partial<GrainRun>): GrainRun => ({
  workload: "toy",
  files: {},
  payload: null,
  round: 0,
  tasks: 10,
  grainTasks: 4,
  input: null,
  inputs: null,
  inputsFirstTask: 0,
  lo: 0,
  hi: 3,
  ...fields,
});
/** `perTask` invocations a task. */
const program = (perTask: number) => ({ invocations: (_: unknown, tasks: number) => tasks * perTask }) as never;

function takeAll(chunks: Chunks, budget: number): Chunk[][] {
  const buffers: Chunk[][] = [];
  for (let next = chunks.take(budget); next.length > 0; next = chunks.take(budget)) buffers.push(next);
  return buffers;
}

describe("chunks", () => {
  it("cuts grains where the budget ends, and puts several into one command buffer", () => {
    const chunks = new Chunks(runOf({ lo: 1, hi: 3 }), program(5));
    expect(chunks.total).toBe(30);
    expect(takeAll(chunks, 12)).toEqual([
      [{ grain: 0, taskLo: 4, tasks: 4, pass: 0, first: 0, count: 12 }],
      [
        { grain: 0, taskLo: 4, tasks: 4, pass: 0, first: 12, count: 8 },
        { grain: 1, taskLo: 8, tasks: 2, pass: 0, first: 0, count: 4 },
      ],
      [{ grain: 1, taskLo: 8, tasks: 2, pass: 0, first: 4, count: 6 }],
    ]);
  });

  it("takes a grain's passes one after the other, and leaves out those of none", () => {
    const passes = {
      passes: (_: unknown, _round: number, lo: number, hi: number, turn: number) => [hi - lo, 0, 3 + turn],
    } as never;
    const chunks = new Chunks(runOf({ hi: 1 }), passes, 1);
    expect(chunks.total).toBe(8);
    expect(takeAll(chunks, 5)).toEqual([
      [
        { grain: 0, taskLo: 0, tasks: 4, pass: 0, first: 0, count: 4 },
        { grain: 0, taskLo: 0, tasks: 4, pass: 2, first: 0, count: 1 },
      ],
      [{ grain: 0, taskLo: 0, tasks: 4, pass: 2, first: 1, count: 3 }],
    ]);
  });

  it("runs every invocation of every grain once, in order, whatever the budget", () => {
    const sizes = fc.record({
      tasks: fc.integer({ min: 1, max: 40 }),
      grainTasks: fc.integer({ min: 1, max: 7 }),
      perTask: fc.integer({ min: 1, max: 30 }),
      budget: fc.integer({ min: 1, max: 200 }),
    });
    fc.assert(
      fc.property(sizes, ({ tasks, grainTasks, perTask, budget }) => {
        const hi = Math.ceil(tasks / grainTasks);
        const chunks = new Chunks(runOf({ tasks, grainTasks, hi }), program(perTask));
        const buffers = takeAll(chunks, budget);
        for (const buffer of buffers) {
          const size = buffer.reduce((sum, chunk) => sum + chunk.count, 0);
          expect(size).toBeLessThanOrEqual(budget);
          if (buffer !== buffers.at(-1)) expect(size).toBe(budget);
        }
        const ran = buffers
          .flat()
          .flatMap(({ taskLo, first, count }) =>
            Array.from({ length: count }, (_, index) => taskLo * perTask + first + index),
          );
        expect(ran).toEqual(Array.from({ length: tasks * perTask }, (_, index) => index));
        expect(chunks.total).toBe(ran.length);
      }),
    );
  });

  it("puts no more chunks into a command buffer than there is room for", () => {
    const tasks = 2 * CHUNKS_MAX + 1;
    const buffers = takeAll(new Chunks(runOf({ tasks, grainTasks: 1, hi: tasks }), program(1)), 2 ** 30);
    expect(buffers.map((buffer) => buffer.length)).toEqual([CHUNKS_MAX, CHUNKS_MAX, 1]);
  });
});

describe("the pace", () => {
  /** Command buffers on a device of so many invocations a millisecond, after some latency. */
  function buffers(count: number, perMs: number, latencyMs: number): number[] {
    const paces = new GpuPaces();
    return Array.from({ length: count }, () => {
      const invocations = paces.budget("a");
      const ms = latencyMs + invocations / perMs;
      paces.note("a", invocations, ms);
      return ms;
    });
  }

  it.each([
    [60, 0.05],
    [1e3, 1],
    [1e6, 5],
    [2e7, 0.2],
  ])("reaches 50 ms at %d invocations a millisecond and %d ms of latency, and never 100", (perMs, latencyMs) => {
    const taken = buffers(20, perMs, latencyMs);
    expect(Math.max(...taken)).toBeLessThan(100);
    expect(taken.at(-1)).toBeGreaterThan(40);
    expect(taken.at(-1)).toBeLessThanOrEqual(50 + latencyMs);
  });

  it("keeps to half of that for a device that was lost once", () => {
    const paces = new GpuPaces(0.5);
    for (let buffer = 0; buffer < 20; buffer++) {
      const invocations = paces.budget("a");
      paces.note("a", invocations, invocations / 1e4);
    }
    expect(paces.budget("a") / 1e4).toBeCloseTo(25, 0);
  });

  it("shrinks at once when a buffer took too long, a short one too", () => {
    const paces = new GpuPaces();
    paces.note("a", 4096, 1);
    expect(paces.budget("a")).toBe(4 * 4096);
    paces.note("a", 1000, 500);
    expect(paces.budget("a")).toBe(100);
  });

  it("learns nothing from a short buffer that was quick", () => {
    const paces = new GpuPaces();
    paces.note("a", 100, 40);
    expect(paces.budget("a")).toBe(4096);
  });
});

describe("the key of a pace", () => {
  const header = (mining.examples[0] as { payload: { header: string } }).payload.header;
  const plain = { header, nonce_start: 2_080_000_000, nonces: 2 ** 24 };
  const coinbase = { prefix: "00", suffix: "00", extranonce_bytes: 4 };
  const keyOf = (payload: unknown, build = "a") => {
    const parsed = mining.payload.parse(payload);
    const { tasks, grainTasks } = mining.plan(parsed);
    return paceKey(build, mining as unknown as Workload, runOf({ payload: parsed, tasks, grainTasks, hi: 1 }));
  };

  it("tells apart payloads whose invocations have more to do, and shaders", () => {
    expect(keyOf({ ...plain, coinbase, merkle_branch: [] })).not.toBe(keyOf(plain));
    expect(keyOf(plain, "b")).not.toBe(keyOf(plain));
  });

  it("is shared by jobs that run alike", () => {
    expect(keyOf({ ...plain, nonce_start: 5 })).toBe(keyOf(plain));
  });
});
