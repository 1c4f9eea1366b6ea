import { describe, expect, it } from "vitest";
import { offeringOf } from "../fixtures.ts";
import { providerConformance } from "./conformance.ts";
import { FakeCloud, type FakeOptions } from "./fake.ts";
import type { CloudProvider, LaunchOrder } from "./provider.ts";

const quick = {
  now: () => Date.now(),
  after: (ms: number, run: () => void) => {
    const timer = setTimeout(run, Math.min(ms / 100, 1e9));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** One cloud behind several adapters. */
const again = (cloud: FakeCloud): CloudProvider => ({
  name: cloud.name,
  priced: cloud.priced,
  offerings: () => cloud.offerings(),
  launch: (order) => cloud.launch(order),
  list: (cluster) => cloud.list(cluster),
  terminate: (ids) => cloud.terminate(ids),
  close: async () => {},
});

providerConformance("fake", async () => {
  const cloud = new FakeCloud({
    clock: quick,
    random: Math.random,
    offerings: [offeringOf()],
    faults: { listLagMs: 100 },
  });
  return {
    provider: cloud,
    again: () => again(cloud),
    until: async (done) => {
      while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    remove: async () => {},
  };
});

/** Virtual time for one cloud. */
function virtual(options: Partial<FakeOptions>) {
  const due: { at: number; run: () => void; off: boolean }[] = [];
  let now = 0;
  const clock = {
    now: () => now,
    after: (ms: number, run: () => void) => {
      const entry = { at: now + ms, run, off: false };
      due.push(entry);
      return () => {
        entry.off = true;
      };
    },
  };
  const pass = async (until: number): Promise<void> => {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      due.sort((a, b) => a.at - b.at);
      const next = due[0];
      if (!next || next.at > until) break;
      due.shift();
      now = next.at;
      if (!next.off) next.run();
    }
    now = until;
  };
  return { cloud: new FakeCloud({ clock, random: () => 0.5, offerings: [offeringOf()], ...options }), pass };
}

const order = (change: Partial<LaunchOrder> = {}): LaunchOrder => ({
  token: "t",
  cluster: "c",
  offerings: [offeringOf()],
  count: 1,
  boot: { coordinatorUrl: "http://x", joinToken: "j", lifetimeMs: 3_600_000, silenceMs: 60_000 },
  ...change,
});
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "ok",
    (error: { code: string }) => error.code,
  );

describe("the fake cloud's faults", () => {
  it("loses a reply after it launched, and gives the same instances when asked again", async () => {
    const { cloud, pass } = virtual({ faults: { lostReply: 1 } });
    const first = code(cloud.launch(order()));
    await pass(1_000);
    expect(await first).toBe("unknown");
    expect(cloud.instances.size).toBe(1);
    cloud.faults.lostReply = 0;
    const second = cloud.launch(order());
    await pass(2_000);
    expect((await second).instances.map(({ id }) => id)).toEqual([...cloud.instances.keys()]);
  });

  it("refuses another order under the same token", async () => {
    const { cloud, pass } = virtual({});
    const first = code(cloud.launch(order()));
    await pass(500);
    const second = code(cloud.launch(order({ count: 2 })));
    await pass(1_000);
    expect([await first, await second]).toEqual(["ok", "invalid"]);
  });

  it("throttles, runs dry, and takes the next machine of the order", async () => {
    const dry = offeringOf({ zone: "dry" });
    const { cloud, pass } = virtual({
      offerings: [dry, offeringOf()],
      capacity: ({ zone }) => (zone === "dry" ? 1 : undefined),
      faults: { bucket: { size: 2, perSecond: 0.1 } },
    });
    const reply = cloud.launch(order({ offerings: [dry, offeringOf()], count: 2 }));
    const alone = code(cloud.launch(order({ token: "u", offerings: [dry], count: 1 })));
    const third = code(cloud.launch(order({ token: "v" })));
    await pass(1_000);
    expect((await reply).instances.map(({ offering }) => offering)).toEqual([dry.id, offeringOf().id]);
    expect(await alone).toBe("ok");
    expect(await third).toBe("throttled");
  });

  it("ends machines by lifetime, by silence and by interruption, and bills until then", async () => {
    const { cloud, pass } = virtual({});
    const lived = code(
      cloud.launch(order({ token: "a", boot: { ...order().boot, silenceMs: 7_200_000, lifetimeMs: 1_800_000 } })),
    );
    const silent = code(cloud.launch(order({ token: "b" })));
    await pass(600_000);
    await Promise.all([lived, silent]);
    expect([...cloud.instances.values()].map(({ endedBy }) => endedBy)).toEqual([null, "silence"]);
    await pass(2_000_000);
    const [first, second] = [...cloud.instances.values()];
    expect(first?.endedBy).toBe("lifetime");
    expect(cloud.bill()).toBeCloseTo(
      (0.5 + ((second?.endedAtMs ?? 0) - (second?.launchedAtMs ?? 0)) / 3_600_000) * 0.0416,
      6,
    );
  });
});
