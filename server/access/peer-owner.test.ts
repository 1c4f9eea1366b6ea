import { expect, test } from "vitest";
import { sharedReading } from "./peer-owner.ts";

test("who asks at the same moment shares a reading; who comes during one has the next", async () => {
  const readings: ((text: string) => void)[] = [];
  const read = sharedReading(
    () =>
      new Promise((resolve) => {
        readings.push(resolve);
      }),
  );
  const early = [read("/table"), read("/table")];
  await Promise.resolve();
  const late = [read("/table"), read("/table")];
  await new Promise((resolve) => setImmediate(resolve));
  expect(readings).toHaveLength(1);
  readings[0]?.("first");
  expect(await Promise.all(early)).toEqual(["first", "first"]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(readings).toHaveLength(2);
  readings[1]?.("second");
  expect(await Promise.all(late)).toEqual(["second", "second"]);
});

test("a reading that fails fails for those who waited for it only", async () => {
  let times = 0;
  const read = sharedReading(async () => {
    if (times++ === 0) throw new Error("no such table");
    return "text";
  });
  await expect(read("/table")).rejects.toThrow("no such table");
  expect(await read("/table")).toBe("text");
});
