/** What holds of every decision, whatever the observation. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hoursLeft } from "./budget.ts";
import { decide } from "./decide.ts";
import {
  demandOf,
  giB,
  inputOf,
  nodeOf,
  observe,
  offeringOf,
  orderOf,
  rowOf,
  startMs,
  volunteerOf,
} from "./fixtures.ts";
import { costs, dearest, hourlyRate, moved } from "./ledger.ts";
import { freshMemory } from "./memory.ts";
import { type Action, type InstanceRow, type LedgerState, ledgerStates, type Observation } from "./model.ts";

const offerings = [
  offeringOf(),
  offeringOf({ type: "c5.2xlarge", cores: 8, dollars: 0.34, memoryBytes: 16 * giB }),
  offeringOf({ market: "spot", dollars: 0.0125 }),
  offeringOf({ market: "spot", type: "t3a.medium", zone: "us-east-1b", dollars: 0.011 }),
  offeringOf({ type: "g4dn.xlarge", cores: 4, dollars: 0.526, gpu: { name: "T4", count: 1, memoryBytes: 16 * giB } }),
];

const rows = fc.array(
  fc.record({
    state: fc.constantFrom(...ledgerStates),
    ageMs: fc.integer({ min: 0, max: 2_000_000 }),
    leases: fc.integer({ min: 0, max: 3 }),
    online: fc.boolean(),
    offering: fc.constantFrom(...offerings),
    misses: fc.integer({ min: 0, max: 2 }),
    listed: fc.boolean(),
  }),
  { maxLength: 12 },
);

interface Scene {
  observation: Observation;
  input: ReturnType<typeof inputOf>;
}

const scene: fc.Arbitrary<Scene> = fc
  .record({
    rows,
    work: fc.array(
      fc.record({
        coreSeconds: fc.integer({ min: 0, max: 100_000 }),
        grains: fc.integer({ min: 1, max: 10_000 }),
        gpu: fc.boolean(),
        dueMs: fc.option(fc.integer({ min: -100_000, max: 1_000_000 })),
      }),
      { maxLength: 3 },
    ),
    volunteers: fc.array(
      fc.record({ rate: fc.integer({ min: 0, max: 20 }), survival: fc.double({ min: 0, max: 1, noNaN: true }) }),
      {
        maxLength: 5,
      },
    ),
    target: fc.record({
      minNodes: fc.integer({ min: 0, max: 5 }),
      maxNodes: fc.integer({ min: 0, max: 30 }),
      dollarsPerHourMax: fc.option(fc.double({ min: 0, max: 3, noNaN: true })),
      dollarsPerDayMax: fc.option(fc.double({ min: 0, max: 20, noNaN: true })),
    }),
    dollarsToday: fc.double({ min: 0, max: 10, noNaN: true }),
    policy: fc.constantFrom("reactive" as const, "cost_optimized" as const),
    listing: fc.boolean(),
    strangers: fc.integer({ min: 0, max: 2 }),
  })
  .map((drawn) => {
    const nowMs = startMs + 3_000_000;
    const instances = drawn.rows.map(({ state, ageMs, offering, misses }, n) =>
      rowOf(n, state, { offering, misses, nextTerminationAtMs: nowMs }, nowMs - ageMs),
    );
    const nodes = new Map(
      drawn.rows.map(({ leases, online }, n) => [
        `node-${n}`,
        nodeOf(`node-${n}`, {
          leases,
          online,
          idleSinceMs: leases > 0 ? null : startMs,
          lastSeenMs: online ? nowMs : startMs,
        }),
      ]),
    );
    const orders = instances.map((row) =>
      orderOf({ token: row.order, createdAtMs: row.createdAtMs, nextAttemptAtMs: nowMs }),
    );
    const listed = instances.flatMap((row, n) =>
      drawn.rows[n]?.listed && row.cloudId !== null
        ? [
            {
              id: row.cloudId,
              token: row.order,
              offering: row.offering.id,
              state: "running" as const,
              launchedAtMs: startMs,
              interruptionAtMs: null,
            },
          ]
        : [],
    );
    for (let n = 0; n < drawn.strangers; n++) {
      listed.push({
        id: `stranger-${n}`,
        token: "nobody",
        offering: offerings[0]!.id,
        state: "running",
        launchedAtMs: startMs,
        interruptionAtMs: null,
      });
    }
    return {
      observation: observe({
        nowMs,
        instances,
        nodes,
        orders,
        offerings,
        demand: drawn.work.map((work, n) =>
          demandOf(work.coreSeconds, {
            class: `class-${n}`,
            grains: work.grains,
            needs: { gpu: work.gpu, cpu: !work.gpu, memoryBytes: giB, engines: [] },
            deadlines: work.dueMs === null ? [] : [{ atMs: nowMs + work.dueMs, coreSeconds: work.coreSeconds }],
          }),
        ),
        volunteers: drawn.volunteers.map((volunteer, n) =>
          volunteerOf(volunteer.rate, { node: `v${n}`, survival: volunteer.survival }),
        ),
        listing: drawn.listing ? { atMs: nowMs, instances: listed } : null,
        dollarsToday: drawn.dollarsToday,
      }),
      input: inputOf(drawn.target, { policy: drawn.policy }),
    };
  });

const property = (check: (scene: Scene, actions: readonly Action[]) => void) =>
  fc.assert(
    fc.property(scene, (drawn) => {
      check(drawn, decide(freshMemory(), drawn.observation, drawn.input).actions);
    }),
    { numRuns: 400 },
  );

const launches = (actions: readonly Action[]) =>
  actions.filter((action): action is Extract<Action, { type: "launch" }> => action.type === "launch");

const states: Partial<Record<Action["type"], LedgerState>> = {
  drain: "DRAINING",
  undrain: "REGISTERED",
  terminate: "TERMINATING",
  adopt: "LAUNCHED",
  abandon: "FAILED",
  gone: "GONE",
};

describe("every decision", () => {
  it("stays within the maximum, whatever is on its way out", () => {
    property(({ observation, input }, actions) => {
      const ordered = launches(actions).reduce((sum, { count }) => sum + count, 0);
      if (ordered === 0) return;
      expect(ordered + observation.instances.filter(costs).length).toBeLessThanOrEqual(input.target.maxNodes);
    });
  });

  it("orders nothing beyond a budget, even if the dearest of each order came", () => {
    property(({ observation, input: { target } }, actions) => {
      const orders = launches(actions);
      if (orders.length === 0) return;
      const rate = orders.reduce(
        (sum, { offerings: of, count }) => sum + dearest(of).price.dollarsPerHour * count,
        hourlyRate(observation.instances),
      );
      expect(rate).toBeLessThanOrEqual((target.dollarsPerHourMax ?? Number.POSITIVE_INFINITY) + 1e-6);
      const day = observation.dollarsToday + rate * hoursLeft(observation.nowMs);
      expect(day).toBeLessThanOrEqual((target.dollarsPerDayMax ?? Number.POSITIVE_INFINITY) + 1e-6);
    });
  });

  it("ends no instance that holds a lease, unless its drain is over", () => {
    property(({ observation }, actions) => {
      for (const action of actions) {
        if (action.type !== "terminate") continue;
        const row = observation.instances.find(({ id }) => id === action.instance) as InstanceRow;
        const node = row.node === null ? undefined : observation.nodes.get(row.node);
        if (row.state === "REGISTERED") expect(node?.online ?? false).toBe(false);
        if (row.state === "DRAINING" && node?.online && node.leases > 0) {
          expect(row.drainUntilMs).toBeLessThanOrEqual(observation.nowMs);
        }
      }
    });
  });

  it("makes only moves that the ledger has, one for each instance, each with a reason", () => {
    property(({ observation }, actions) => {
      const seen = new Set<string>();
      for (const action of actions) {
        expect(action.reason.code).toMatch(/^[a-z_]+$/);
        expect(action.reason.message.length).toBeGreaterThan(3);
        if (!("instance" in action)) continue;
        expect(seen.has(action.instance)).toBe(false);
        seen.add(action.instance);
        const row = observation.instances.find(({ id }) => id === action.instance) as InstanceRow;
        const state = states[action.type];
        if (state && state !== row.state) moved(row, state, observation.nowMs, action.reason);
      }
    });
  });

  it("sweeps only what no living row has", () => {
    property(({ observation }, actions) => {
      const known = new Set(observation.instances.filter(costs).map(({ cloudId }) => cloudId));
      for (const action of actions) if (action.type === "sweep") expect(known.has(action.cloudId)).toBe(false);
    });
  });

  it("changes nothing of the observation, and says the same of the same", () => {
    fc.assert(
      fc.property(scene, ({ observation, input }) => {
        const before = structuredClone(observation);
        const first = decide(freshMemory(), observation, input);
        expect(observation).toEqual(before);
        expect(decide(freshMemory(), before, input)).toEqual(first);
      }),
      { numRuns: 100 },
    );
  });

  it("wants no more when there are more volunteers", () => {
    fc.assert(
      fc.property(scene, fc.integer({ min: 1, max: 50 }), ({ observation, input }, rate) => {
        const more = { ...observation, volunteers: [...observation.volunteers, volunteerOf(rate, { node: "more" })] };
        const few = decide(freshMemory(), observation, input);
        const many = decide(freshMemory(), more, input);
        expect(many.shortfallRate).toBeLessThanOrEqual(few.shortfallRate + 1e-6);
      }),
      { numRuns: 200 },
    );
  });
});
