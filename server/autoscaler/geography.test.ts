import { describe, expect, it } from "vitest";
import { decide } from "./decide.ts";
import { demandOf, fleet, inputOf, observe, offeringOf, startMs } from "./fixtures.ts";
import { regionCosts } from "./geography.ts";
import { freshMemory, learn } from "./memory.ts";
import type { Observation } from "./model.ts";
import { kilometres, type Region, regionOf, regions } from "./regions.ts";
import { defaultSettings } from "./settings.ts";

const at = (region: string, dollars = 0.0416) =>
  offeringOf({ region, zone: `${region}a`, id: `on_demand:t3.medium:${region}a`, dollars });
const everywhere = regions.map(({ id }) => at(id));

function chosen(change: Partial<Observation>, memory = freshMemory()): string[] {
  const observation = observe({ offerings: everywhere, ...change });
  const input = inputOf({}, { regionCost: regionCosts(observation.instances) });
  return decide(memory, observation, input).actions.flatMap((action) =>
    action.type === "launch" ? (action.offerings[0]?.region ?? []) : [],
  );
}

describe("regions", () => {
  it("are the six of the document, by clouds' names and by people's", () => {
    expect(regions.map(({ id }) => id)).toEqual([
      "us-east-1",
      "us-west-1",
      "eu-west-1",
      "ap-northeast-1",
      "ap-southeast-1",
      "ap-southeast-2",
    ]);
    expect([" Ireland", "europe-west1", "EU-WEST-1", "northeurope"].map((name) => regionOf(name)?.id)).toEqual(
      Array(4).fill("eu-west-1"),
    );
    expect(regionOf("Atlantis")).toBe(null);
  });
  it("are as far from each other as they are", () => {
    const between = (a: string, b: string) => kilometres(regionOf(a) as Region, regionOf(b) as Region);
    // Great circles by hand: Dulles to Dublin airport 5,450 km, Tokyo to Sydney 7,800 km.
    expect(between("virginia", "ireland")).toBeGreaterThan(5_300);
    expect(between("virginia", "ireland")).toBeLessThan(5_600);
    expect(between("tokyo", "sydney")).toBeGreaterThan(7_700);
    expect(between("tokyo", "sydney")).toBeLessThan(7_950);
    expect(between("tokyo", "tokyo")).toBe(0);
  });
});

describe("placement", () => {
  const work = (region: string | null, coreSeconds = 1_500) =>
    demandOf(coreSeconds, { class: region ?? "any", region });

  it("is near to where the work comes from", () => {
    for (const { id } of regions) expect(chosen({ demand: [work(id)] })).toEqual([id]);
    expect(chosen({ demand: [work("ap-northeast-1", 600), work("eu-west-1", 600)] }).sort()).toEqual([
      "ap-northeast-1",
      "eu-west-1",
    ]);
  });
  it("is where it is cheapest when nobody said, or when near is too dear", () => {
    const offerings = [at("ap-northeast-1", 0.09), at("us-west-1", 0.04), at("eu-west-1", 0.05)];
    expect(chosen({ offerings, demand: [work(null)] })).toEqual(["us-west-1"]);
    expect(chosen({ offerings, demand: [work("ap-northeast-1")] })).toEqual(["us-west-1"]);
    const near = [at("ap-northeast-1", 0.05), at("us-west-1", 0.04)];
    expect(chosen({ offerings: near, demand: [work("ap-northeast-1")] })).toEqual(["ap-northeast-1"]);
  });
  it("falls over to the next region when one has no capacity", () => {
    const memory = freshMemory();
    const refused = { type: "refused", offering: at("ap-northeast-1").id, code: "capacity" } as const;
    learn(memory, refused, startMs - 1_000, defaultSettings);
    expect(chosen({ demand: [work("ap-northeast-1")] }, memory)).toEqual(["ap-southeast-1"]);
  });
  it("puts no more than 60 % of three or more into one region while others have some", () => {
    const { instances, nodes } = fleet(4, { leases: 1, idleSinceMs: null }, { offering: at("ap-northeast-1") });
    const demand = [work("ap-northeast-1", 60_000)];
    expect(chosen({ demand, instances, nodes })).toEqual(["ap-southeast-1"]);
    expect(chosen({ demand, instances, nodes, offerings: [at("ap-northeast-1")] })).toEqual(["ap-northeast-1"]);
  });
});
