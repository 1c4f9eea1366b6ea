import { expect, it } from "vitest";
import { verificationWords } from "./words.ts";

const rounds = [
  { grains: 60, grains_covered: 60 },
  { grains: 40, grains_covered: 40 },
];

it("says how grains came to count, the most first, with shares that add up", () => {
  const byReason = { own_node: 10, trust: 50, audit: 30, replica: 10 };
  const words = verificationWords({ byReason, own: 10, rounds, certificate: "none" });
  expect(words[0]).toBe("All 100 grains are covered by results that their nodes signed.");
  expect(words[1]).toBe("Own nodes computed 10% of them, volunteers 90%.");
  expect(words[2]).toMatch(/^50 grains \(50%\) rest on the word of nodes that passed many audits/);
  expect(words[3]).toMatch(/^30 grains \(30%\) are in results of which a part/);
  expect(words).toHaveLength(6);
});

it("says what was not needed, what nothing shows, and what it does not know the meaning of", () => {
  const some = [{ grains: 60, grains_covered: 3 }];
  const words = verificationWords({
    byReason: { certificate: 2, odd: 1 },
    own: 0,
    rounds: some,
    certificate: "evidence",
  });
  expect(words[0]).toMatch(/^3 of 60 grains .* the workload needed no more\.$/);
  expect(words).toContain('1 grains (33.3%) count for the reason "odd".');
  expect(words.at(-1)).toMatch(/something withheld is found only by an audit or a replica/);
  expect(verificationWords({ byReason: {}, own: 0, rounds: [], certificate: "none" })[1]).toMatch(/0% of them/);
});
