import { describe, expect, it, test } from "vitest";
import { allowed, type Conditions, isOpen, memoryClass, type Wishes } from "./policy.ts";

const wishes: Wishes = {
  threads: 4,
  gpu: true,
  effort: 1,
  whenHidden: false,
  whenSavingData: false,
  schedule: null,
  hoursPerDay: null,
};
const calm: Conditions = {
  hidden: false,
  battery: null,
  saveData: false,
  weekday: 3,
  hour: 12,
  spentMs: 0,
  crashes: 0,
  ease: 1,
  smooth: 1,
};
const computer = { phone: false, memoryGiB: null };
const given = (now: Partial<Conditions>, wanted: Partial<Wishes> = {}) =>
  allowed({ ...wishes, ...wanted }, { ...calm, ...now }, computer);
const everything = { threads: 4, gpu: true, duty: 1, memoryBytesMax: 2 ** 30, paused: null, notes: [] };

it("uses what the owner allows where nothing speaks against it", () => {
  expect(given({})).toEqual(everything);
  expect(given({ battery: { charging: true, level: 0.1 } })).toEqual(everything);
});

describe("pauses, and says why", () => {
  test.each<[string, Partial<Conditions>, Partial<Wishes>, RegExp]>([
    ["hidden", { hidden: true }, {}, /another tab/],
    ["battery low", { battery: { charging: false, level: 0.3 } }, {}, /battery is at 30 %/],
    ["saving data", { saveData: true }, {}, /saves data/],
    ["outside the schedule", {}, { schedule: { days: [3], fromHour: 18, toHour: 23 } }, /Wed, 18:00 to 23:00/],
    ["no day chosen", {}, { schedule: { days: [], fromHour: 0, toHour: 24 } }, /no day/],
    ["the day's hours are used", { spentMs: 7_200_000 }, { hoursPerDay: 2 }, /2 hours today/],
  ])("%s", (_, now, wanted, words) => {
    expect(given(now, wanted)).toMatchObject({ threads: 0, gpu: false, paused: expect.stringMatching(words) });
  });
});

test.each<[string, Partial<Conditions>, Partial<Wishes>]>([
  ["hidden, and ticked", { hidden: true }, { whenHidden: true }],
  ["saving data, and ticked", { saveData: true }, { whenSavingData: true }],
  ["within the schedule", {}, { schedule: { days: [3], fromHour: 12, toHour: 13 } }],
  ["before the day's hours are used", { spentMs: 7_199_999 }, { hoursPerDay: 2 }],
])("goes on: %s", (_, now, wanted) => {
  expect(given(now, wanted)).toEqual(everything);
});

test("on battery the GPU rests; where only it was allowed, one thread takes its place", () => {
  const battery = { charging: false, level: 0.9 };
  expect(given({ battery })).toMatchObject({ threads: 4, gpu: false, paused: null });
  expect(given({ battery }).notes[0]).toContain("battery");
  expect(given({ battery }, { threads: 0 })).toMatchObject({ threads: 1, gpu: false });
  expect(given({ battery }, { gpu: false }).notes).toEqual([]);
});

test("each crash halves the threads, never to none, and the third leaves the GPU alone", () => {
  expect([1, 2, 3, 40].map((crashes) => given({ crashes }, { threads: 8 }).threads)).toEqual([4, 2, 1, 1]);
  expect([1, 2, 3, 4].map((crashes) => given({ crashes }).gpu)).toEqual([true, true, false, false]);
  expect(given({ crashes: 1 }).notes[0]).toContain("ended while it computed");
  expect(given({ crashes: 3 }, { threads: 0 })).toMatchObject({ threads: 1, gpu: false });
});

test("a kernel's memory: less on phones and small devices, half of it after each crash, and never nothing", () => {
  const mebi = 2 ** 20;
  const of = (phone: boolean, memoryGiB: number | null, crashes = 0): number =>
    memoryClass({ phone, memoryGiB }, crashes) / mebi;
  expect([of(false, null), of(true, null), of(false, 4), of(true, 8), of(true, 0.5)]).toEqual([
    1024, 256, 512, 256, 64,
  ]);
  expect([1, 2, 3].map((crashes) => of(true, null, crashes))).toEqual([128, 64, 32]);
  expect(of(true, 0.25, 1000)).toBe(8);
  expect(given({ crashes: 1 }).memoryBytesMax).toBe(2 ** 29);
  expect(given({ crashes: 1 }, { threads: 1 }).notes).toEqual([expect.stringMatching(/with less memory/)]);
});

test("effort, pressure and smoothness multiply, within bounds, in steps", () => {
  expect(given({}, { effort: 0.5 }).duty).toBe(0.5);
  expect(given({ ease: 0.5, smooth: 0.6 }, { effort: 0.5 }).duty).toBe(0.15);
  expect(given({ ease: 0.25, smooth: 0.25 }, { effort: 0.25 }).duty).toBe(0.1);
  expect(given({ ease: 0.5 }).notes).toEqual([expect.stringContaining("under pressure")]);
  expect(given({ smooth: 0.99 }).duty).toBe(1);
});

test("a schedule over midnight belongs to the day on which it began", () => {
  const night = { days: [5], fromHour: 22, toHour: 6 };
  expect(isOpen(night, 5, 22)).toBe(true);
  expect(isOpen(night, 6, 5)).toBe(true);
  expect(isOpen(night, 6, 6)).toBe(false);
  expect(isOpen(night, 5, 5)).toBe(false);
  expect(isOpen({ days: [6], fromHour: 22, toHour: 6 }, 0, 3)).toBe(true);
  const always = { days: [0, 1, 2, 3, 4, 5, 6], fromHour: 0, toHour: 24 };
  for (let hour = 0; hour < 24; hour++) expect(isOpen(always, 0, hour)).toBe(true);
});
