import { describe, expect, it } from "vitest";
import {
  assertTransition,
  grainTransitions,
  InvalidTransition,
  leaseTransitions,
  standingTransitions,
} from "./transitions.ts";

const tables = { grain: grainTransitions, lease: leaseTransitions, standing: standingTransitions } as const;

describe.each(Object.keys(tables) as (keyof typeof tables)[])("the table of %s transitions", (name) => {
  const table: Record<string, readonly string[]> = tables[name];
  const states = Object.keys(table);

  it("names only states that it has", () => {
    for (const next of Object.values(table).flat()) expect(states).toContain(next);
  });

  it("accepts every pair in it, and throws for every other, with the story", () => {
    let refused = 0;
    for (const from of states) {
      for (const to of states) {
        const check = () => assertTransition(name, from, to, "j7 [0,4096)", ["leased [0,9) 1.1", "candidate [0,9) 4"]);
        if (table[from]?.includes(to)) expect(check).not.toThrow();
        else {
          refused++;
          expect(check).toThrow(InvalidTransition);
          expect(check).toThrow(
            `${name} j7 [0,4096): ${from} -> ${to} is not allowed; story: leased [0,9) 1.1 | candidate [0,9) 4`,
          );
        }
      }
    }
    expect(refused).toBeGreaterThan(0);
  });

  it("throws for a state that it does not know", () => {
    expect(() => assertTransition(name, "nowhere", states[0] as string, "x")).toThrow("story: (none)");
  });
});
