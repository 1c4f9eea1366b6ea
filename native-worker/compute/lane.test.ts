import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { GrainRun } from "../../kernels/run/grains.ts";
import { Lane, type LaneOptions } from "./lane.ts";
import type { ToCompute } from "./messages.ts";

const run = { workload: "test", lo: 0, hi: 1 } as GrainRun;
const never = new AbortController().signal;
const answer = { partials: [Uint8Array.of(1)], computeMs: 1, build: "b" };

/** A thread that does only what the test says. */
class Puppet {
  readonly heard: ToCompute[] = [];
  killed = false;
  constructor(readonly on: Parameters<LaneOptions["start"]>[0]) {}
  post(message: ToCompute): void {
    this.heard.push(message);
  }
  kill(): void {
    this.killed = true;
  }
  get lastId(): number {
    return this.heard.filter((message) => message.type === "run").at(-1)?.id ?? -1;
  }
}

function lane(options: Partial<LaneOptions> = {}) {
  const puppets: Puppet[] = [];
  const lost: string[] = [];
  const made = new Lane({
    start: (on) => {
      const puppet = new Puppet(on);
      puppets.push(puppet);
      return puppet;
    },
    file: async () => Uint8Array.of(7),
    lostReason: "device_lost",
    onLost: (why) => lost.push(why),
    ...options,
  });
  return { made, puppets, lost };
}

const deaf = { fraction() {}, saved() {} };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("lane", () => {
  it("starts its thread with the first run, and keeps it", async () => {
    const { made, puppets } = lane();
    expect(puppets).toHaveLength(0);
    for (let i = 0; i < 2; i++) {
      const fractions: number[] = [];
      const done = made.run(run, never, { ...deaf, fraction: (fraction) => void fractions.push(fraction) });
      const puppet = puppets[0] as Puppet;
      puppet.on.message({ type: "fraction", id: puppet.lastId, fraction: 0.5 });
      puppet.on.message({ type: "done", id: puppet.lastId, ...answer });
      expect(await done).toEqual(answer);
      expect(fractions).toEqual([0.5]);
    }
    expect(puppets).toHaveLength(1);
  });

  it("hands on why a grain failed", async () => {
    const { made, puppets } = lane();
    const failed = made.run(run, never, deaf);
    puppets[0]?.on.message({ type: "failed", id: 1, reason: "kernel_trap", message: "trap", grain: 4 });
    await expect(failed).rejects.toMatchObject({ name: "ComputeError", reason: "kernel_trap", grain: 4 });
  });

  it("aborts what listens, without a kill", async () => {
    const { made, puppets, lost } = lane();
    const abort = new AbortController();
    const stopped = made.run(run, abort.signal, deaf);
    abort.abort();
    const puppet = puppets[0] as Puppet;
    expect(puppet.heard.at(-1)).toEqual({ type: "abort", id: 1 });
    puppet.on.message({ type: "failed", id: 1, reason: "aborted", message: "", grain: null });
    await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
    await vi.advanceTimersByTimeAsync(2_000);
    expect([puppet.killed, lost]).toEqual([false, []]);
    await expect(made.run(run, abort.signal, deaf)).rejects.toMatchObject({ name: "AbortError" });
  });

  it("kills within a second what does not listen, and starts another for the next run", async () => {
    const { made, puppets, lost } = lane();
    const abort = new AbortController();
    const stuck = made.run(run, abort.signal, deaf);
    const beside = made.run(run, never, deaf);
    abort.abort();
    const both = Promise.allSettled([stuck, beside]);
    await vi.advanceTimersByTimeAsync(600);
    expect(await both).toMatchObject([
      { reason: { name: "AbortError" } },
      { reason: { name: "ComputeError", reason: "device_lost" } },
    ]);
    expect(puppets[0]?.killed).toBe(true);
    expect(lost).toHaveLength(1);
    const next = made.run(run, never, deaf);
    // What the dead one still says is not heard.
    puppets[0]?.on.message({ type: "failed", id: 3, reason: "internal", message: "late", grain: null });
    puppets[0]?.on.gone("killed");
    puppets[1]?.on.message({ type: "done", id: 3, ...answer });
    expect(await next).toEqual(answer);
    expect(lost).toHaveLength(1);
  });

  it("fails what ran when its thread dies, and starts another", async () => {
    const { made, puppets, lost } = lane();
    const failed = made.run(run, never, deaf);
    puppets[0]?.on.gone("It ended with SIGSEGV.");
    await expect(failed).rejects.toMatchObject({ reason: "device_lost", message: "It ended with SIGSEGV." });
    expect(lost).toEqual(["It ended with SIGSEGV."]);
    const next = made.run(run, never, deaf);
    puppets[1]?.on.message({ type: "done", id: 2, ...answer });
    expect(await next).toEqual(answer);
  });

  it("brings files, or says why there are none", async () => {
    const { made, puppets } = lane({
      file: async (sha256) => {
        if (sha256 === "gone") throw new Error("404");
        return Uint8Array.of(7);
      },
    });
    made.start();
    const puppet = puppets[0] as Puppet;
    for (const sha256 of ["here", "gone"]) puppet.on.message({ type: "need", sha256, role: "wasm" });
    await vi.advanceTimersByTimeAsync(0);
    expect(puppet.heard).toEqual([
      { type: "file", sha256: "here", bytes: Uint8Array.of(7), message: "" },
      { type: "file", sha256: "gone", bytes: null, message: "404" },
    ]);
  });

  it("once closed is dead, and says so as an abort", async () => {
    const { made, puppets, lost } = lane();
    const ended = made.run(run, never, deaf);
    made.close();
    await expect(ended).rejects.toMatchObject({ name: "AbortError" });
    await expect(made.run(run, never, deaf)).rejects.toMatchObject({ name: "AbortError" });
    expect([puppets[0]?.killed, puppets.length, lost]).toEqual([true, 1, []]);
  });
});
