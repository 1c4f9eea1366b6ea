import { describe, expect, it } from "vitest";
import { Gate, gateLimits } from "./gate.ts";

const few = { socketsMax: 6, networkSocketsMax: 3, silentMax: 4, networkSilentMax: 2 };

describe("the gate", () => {
  it("takes so many of a network, and others still", () => {
    const gate = new Gate(few);
    const places = [1, 2, 3].map(() => {
      const place = gate.enter("a");
      place.greeted();
      return place;
    });
    expect(gate.refusal("a")).toMatchObject({ status: 429 });
    expect(gate.refusal("b")).toBeNull();
    places[0]?.left();
    places[0]?.left();
    expect(gate.refusal("a")).toBeNull();
    gate.enter("a");
    expect(gate.refusal("a")).toMatchObject({ status: 429 });
  });

  it("takes few that say nothing, of this machine too", () => {
    const gate = new Gate(few);
    const first = gate.enter("loopback");
    gate.enter("loopback");
    expect(gate.refusal("loopback")).toMatchObject({ status: 429 });
    first.greeted();
    first.greeted();
    expect(gate.refusal("loopback")).toBeNull();
    gate.enter("loopback");
    gate.enter("b");
    gate.enter("c");
    expect(gate.refusal("d")).toMatchObject({ status: 503 });
  });

  it("does not count this machine's own by network, but in all", () => {
    const gate = new Gate(few);
    for (let socket = 0; socket < 6; socket++) {
      expect(gate.refusal("loopback")).toBeNull();
      gate.enter("loopback").greeted();
    }
    expect(gate.refusal("b")).toMatchObject({ status: 503 });
  });

  it("has limits that let each other come to bear", () => {
    const { socketsMax, networkSocketsMax, silentMax, networkSilentMax } = gateLimits;
    expect(networkSilentMax).toBeLessThan(networkSocketsMax);
    expect(networkSilentMax).toBeLessThan(silentMax);
    expect(silentMax).toBeLessThan(socketsMax);
  });
});
