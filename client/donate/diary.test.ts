import { expect, test } from "vitest";
import { calmMsMax, dayOf, emptyDiary, onComputed, onStart, parseDiary, spentOn } from "./diary.ts";

const mark = { startedMs: 1, threads: 2, gpu: true };

test("a mark that the next start finds is a crash; an end that was said is none", () => {
  const crashed = onStart({ ...emptyDiary, mark });
  expect(crashed).toMatchObject({ crashes: 1, mark: null });
  expect(onStart(crashed)).toBe(crashed);
  expect(onStart({ ...crashed, mark }).crashes).toBe(2);
});

test("half an hour of computing forgets one crash", () => {
  let diary = { ...emptyDiary, crashes: 2 };
  diary = onComputed(diary, calmMsMax - 1, "2026-01-31");
  expect(diary.crashes).toBe(2);
  diary = onComputed(diary, 1, "2026-01-31");
  expect(diary.crashes).toBe(1);
  expect(onStart({ ...onComputed(diary, calmMsMax - 1, "2026-01-31"), mark })).toMatchObject({ crashes: 2, calmMs: 0 });
});

test("each day counts for itself", () => {
  const diary = onComputed(onComputed(emptyDiary, 500, "2026-01-31"), 250, "2026-01-31");
  expect(spentOn(diary, "2026-01-31")).toBe(750);
  expect(spentOn(diary, "2026-02-01")).toBe(0);
  expect(onComputed(diary, 10, "2026-02-01").spentMs).toBe(10);
  expect(dayOf(new Date(2026, 0, 5))).toBe("2026-01-05");
});

test("what is kept is read again, and what is broken is as nothing", () => {
  const diary = { day: "2026-01-31", spentMs: 5, mark, crashes: 3, calmMs: 7 };
  expect(parseDiary(JSON.stringify(diary))).toEqual(diary);
  for (const text of [null, "", "{", "5", "null", '"x"']) expect(parseDiary(text)).toEqual(emptyDiary);
  expect(parseDiary('{"spentMs":-5,"crashes":1e99,"mark":"x","day":7}')).toMatchObject({
    spentMs: 0,
    crashes: 0,
    day: "",
  });
});
