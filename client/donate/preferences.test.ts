import { expect, test } from "vitest";
import { defaultThreads, familiesOn, parseChoices } from "./preferences.ts";
import { type Meter, statusWords, stoppedView, totalSpeed } from "./view.ts";

test("half the cores by default, one on phones, never none", () => {
  expect(defaultThreads(8, false)).toBe(4);
  expect(defaultThreads(1, false)).toBe(1);
  expect(defaultThreads(8, true)).toBe(1);
});

test("what was remembered is used; what is broken is replaced", () => {
  const stored = JSON.stringify({ threads: 3, gpu: false, families: { a: true, b: "no" }, name: "Ada" });
  expect(parseChoices(stored, 8, false)).toMatchObject({ threads: 3, gpu: false, families: { a: true }, name: "Ada" });
  expect(parseChoices(stored, 2, false).threads).toBe(2);
  expect(parseChoices("{", 8, false)).toEqual({
    threads: 4,
    gpu: true,
    effort: 1,
    whenHidden: false,
    whenSavingData: false,
    schedule: null,
    hoursPerDay: null,
    families: {},
    name: "",
    region: "clock",
  });
  expect(parseChoices('{"threads":"many","name":5}', 4, true)).toMatchObject({
    threads: 1,
    gpu: true,
    families: {},
    name: "",
  });
});

test("when it may run is remembered, and what is out of bounds is not", () => {
  const schedule = { days: [1, 6], fromHour: 22, toHour: 6 };
  const wishes = { effort: 0.5, whenHidden: true, whenSavingData: true, schedule, hoursPerDay: 3 };
  expect(parseChoices(JSON.stringify(wishes), 8, false)).toMatchObject(wishes);
  const odd = { effort: 7, whenHidden: 1, schedule: { days: [1, 9], fromHour: 22, toHour: 25 }, hoursPerDay: -1 };
  expect(parseChoices(JSON.stringify(odd), 8, false)).toMatchObject({
    effort: 1,
    whenHidden: false,
    schedule: null,
    hoursPerDay: null,
  });
  expect(
    parseChoices(JSON.stringify({ schedule: { days: [9, 6, 1], fromHour: 0, toHour: 24 } }), 8, false).schedule,
  ).toEqual({
    days: [1, 6],
    fromHour: 0,
    toHour: 24,
  });
});

test("a region is the clock's unless another, or none, was chosen", () => {
  expect(parseChoices(null, 4, false).region).toBe("clock");
  expect(parseChoices('{"region": "eu-west-1"}', 4, false).region).toBe("eu-west-1");
  expect(parseChoices('{"region": "none"}', 4, false).region).toBe("none");
  expect(parseChoices('{"region": "Atlantis"}', 4, false).region).toBe("clock");
});

test("an opt-in family is off until its owner switches it on", () => {
  const family = (id: string, optIn: boolean, within: string | null = null) => ({
    ...{ id, optIn, within, title: "", summary: "", workloads: [] },
  });
  const families = [family("simulation", false), family("hashing", true), family("shaders", true, "hashing")];
  expect(familiesOn(families, {})).toEqual(["simulation"]);
  expect(familiesOn(families, { hashing: true, simulation: false })).toEqual(["hashing"]);
  expect(familiesOn(families, { shaders: true })).toEqual(["simulation"]);
  expect(familiesOn(families, { shaders: true, hashing: true })).toEqual(["simulation", "hashing", "shaders"]);
});

test("the status says what is computed, and where", () => {
  const meter = (backend: Meter["backend"], workload: string | null, speed: number | null): Meter => ({
    backend,
    workload,
    speed,
    slot: 0,
    fraction: 0,
    grains: 0,
  });
  const meters = [meter("wasm", "monte_carlo", 0.9), meter("wasm", null, 2), meter("webgpu", "monte_carlo", 10)];
  const words = statusWords({ ...stoppedView, phase: "computing", meters }, () => "Monte Carlo");
  expect(words).toEqual({
    headline: "Computing",
    detail: "Monte Carlo, on one CPU thread and the graphics processor.",
  });
  expect(totalSpeed(meters)).toBeCloseTo(10.9);
  expect(totalSpeed([meter("wasm", "x", null)])).toBeNull();
});
