import { describe, expect, it } from "vitest";
import { beliefConformance } from "./belief-conformance.ts";
import { type Opened, storeConformance } from "./conformance.ts";
import { aNode, errorCode } from "./fixtures.ts";
import { ledgerConformance } from "./ledger-conformance.ts";
import { MemoryStore } from "./memory.ts";
import type { Write } from "./store.ts";

const make = async (): Promise<Opened> => {
  const store = new MemoryStore();
  return { store, again: () => new MemoryStore(store.record), remove: async () => {} };
};
storeConformance("memory", make);
ledgerConformance("memory", make);
beliefConformance("memory", make);

describe("faults of the memory store", () => {
  const write: Write = { type: "node.upsert", node: aNode({ id: "n" }) };

  it("refuses once, and goes on", async () => {
    const store = new MemoryStore();
    await store.open("c");
    store.failNextCommit("refused");
    expect(await errorCode(store.commit([write]))).toBe("refused");
    expect((await store.open("c")).nodes).toEqual([]);
    await store.commit([write]);
    expect((await store.open("c")).nodes).toHaveLength(1);
  });

  it.each([true, false])("stays unknown until it is opened again (written: %s)", async (written) => {
    const store = new MemoryStore();
    await store.open("c");
    store.failNextCommit("unknown", { written });
    expect(await errorCode(store.commit([write]))).toBe("unknown");
    expect(await errorCode(store.commit([write]))).toBe("unknown");
    expect((await store.open("c")).nodes).toHaveLength(written ? 1 : 0);
    await store.commit([write]);
  });
});
