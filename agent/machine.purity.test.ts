/** The machine reads no clock, rolls no dice and touches nothing outside: where those throw, a whole session runs. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { World } from "./testing/world.ts";
import { viewOf } from "./view.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function forbid(): void {
  const forbidden = (what: string) => () => {
    throw new Error(`the machine called ${what}`);
  };
  vi.spyOn(Date, "now").mockImplementation(forbidden("Date.now"));
  vi.spyOn(Math, "random").mockImplementation(forbidden("Math.random"));
  for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"]) {
    vi.stubGlobal(name, forbidden(name));
  }
  for (const name of ["crypto", "performance", "process", "console"]) {
    vi.stubGlobal(name, new Proxy({}, { get: (_target, key) => forbidden(`${name}.${String(key)}`)() }));
  }
}

function session(): { story: string[]; view: unknown } {
  const world = new World({ wasm: 2, webgpu: 1 }).online();
  world.lease(30);
  world.lease(5, "webgpu");
  for (let i = 0; i < 6; i++) world.computed();
  world.wait(6_000);
  world.sign();
  world.close();
  world.wait(1_000);
  world.greet();
  world.lease(3);
  world.failed();
  const view = viewOf(world.state);
  world.give({ type: "stop", reason: "" });
  world.wait(1_000);
  return { story: world.state.story, view };
}

describe("purity", () => {
  it("runs a session with clocks, dice and the outside world taken away", () => {
    const freely = session();
    let bound: ReturnType<typeof session> | undefined;
    let failure: unknown;
    forbid();
    try {
      bound = session();
    } catch (error) {
      failure = error;
    } finally {
      vi.unstubAllGlobals();
      vi.restoreAllMocks();
    }
    expect(failure).toBeUndefined();
    expect(bound).toEqual(freely);
    expect(freely.story.at(-1)).toMatch(/draining -> stopped/);
  });
});
