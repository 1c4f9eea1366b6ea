import { expect, it } from "vitest";
import { creditWords, idOfHash } from "./model.ts";

it("takes a volunteer from the address, and nothing else", () => {
  expect(idOfHash("#0123456789abcdef")).toBe("0123456789abcdef");
  for (const other of ["", "#", "#own", "#0123456789ABCDEF", "#0123456789abcdef0", "#<b>"])
    expect(idOfHash(other)).toBeNull();
});

it("says what was taken back", () => {
  expect(creditWords(3725)).toBe("1 h 2 min");
  expect(creditWords(-90)).toBe("−1 min 30 s");
});
