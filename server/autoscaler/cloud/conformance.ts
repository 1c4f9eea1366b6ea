/** What every provider does, whatever it rents out: run by each adapter against the nearest thing to its counterpart. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  CloudError,
  type CloudErrorCode,
  type CloudInstance,
  type CloudProvider,
  type LaunchOrder,
  type Offering,
} from "./provider.ts";

export interface OpenedProvider {
  provider: CloudProvider;
  /** Another adapter over the same cloud: the coordinator was restarted. */
  again(): CloudProvider;
  /** Lets time pass until `done`, for clouds whose listings lag; rejects when it takes too long. */
  until(done: () => Promise<boolean>): Promise<void>;
  /** Ends everything that a test left. */
  remove(): Promise<void>;
  coordinatorUrl?: string;
}

export interface ConformanceOptions {
  timeoutMs?: number;
}

const cluster = "conformance";
let orders = 0;

export function providerConformance(
  name: string,
  make: () => Promise<OpenedProvider>,
  options: ConformanceOptions = {},
): void {
  const timeout = options.timeoutMs ?? 15_000;
  const test = (title: string, run: () => Promise<void>): void => {
    it(title, run, timeout);
  };

  describe(`${name} provider`, () => {
    let opened: OpenedProvider;
    let provider: CloudProvider;
    /** What an order may take, best first. */
    let offered: readonly Offering[];

    const order = (change: Partial<LaunchOrder> = {}): LaunchOrder => ({
      token: `conformance-${process.pid}-${Date.now().toString(36)}-${++orders}`,
      cluster,
      offerings: offered,
      count: 1,
      boot: {
        coordinatorUrl: opened.coordinatorUrl ?? "http://127.0.0.1:9",
        joinToken: "join-token-of-the-order",
        lifetimeMs: 600_000,
        silenceMs: 300_000,
      },
      ...change,
    });
    const living = async (of: CloudProvider = provider): Promise<CloudInstance[]> =>
      (await of.list(cluster)).filter(({ state }) => state === "starting" || state === "running");
    const lists = (ids: readonly string[]) => async (): Promise<boolean> => {
      const listed = new Set((await living()).map(({ id }) => id));
      return ids.every((id) => listed.has(id));
    };
    const lacks = (ids: readonly string[]) => async (): Promise<boolean> => {
      const listed = new Set((await living()).map(({ id }) => id));
      return ids.every((id) => !listed.has(id));
    };

    beforeEach(async () => {
      opened = await make();
      provider = opened.provider;
      const all = await provider.offerings();
      offered = all.filter(({ region }) => region === all[0]?.region).slice(0, 60);
    }, timeout);
    afterEach(async () => {
      await opened.remove();
      await provider.close();
    }, timeout);

    test("offers machines, each with a price and where it comes from", async () => {
      const offerings = await provider.offerings();
      expect(offerings.length).toBeGreaterThan(0);
      expect(new Set(offerings.map(({ id }) => id)).size).toBe(offerings.length);
      for (const each of offerings) {
        expect(each.cores).toBeGreaterThan(0);
        expect(each.memoryBytes).toBeGreaterThan(0);
        expect(each.price.source.length).toBeGreaterThan(0);
        if (provider.priced) expect(each.price.dollarsPerHour).toBeGreaterThan(0);
        else expect(each.price.dollarsPerHour).toBe(0);
      }
    });

    test("launches as many as asked for, and lists them by cluster and order", async () => {
      const made = order({ count: 2 });
      const { instances } = await provider.launch(made);
      const ids = instances.map(({ id }) => id);
      expect(new Set(ids).size).toBe(2);
      for (const each of instances) expect(offered.map(({ id }) => id)).toContain(each.offering);
      await opened.until(lists(ids));
      for (const each of await living()) {
        expect(each.token).toBe(made.token);
        expect(Math.abs(each.launchedAtMs - Date.now())).toBeLessThan(365 * 86_400_000);
      }
      expect(await provider.list("another")).toEqual([]);
    });

    test("gives the same instances for the same order, at once, later, and after a restart", async () => {
      const made = order({ count: 2 });
      const [first, second] = await Promise.all([provider.launch(made), provider.launch(made)]);
      const ids = first.instances.map(({ id }) => id).sort();
      expect(second.instances.map(({ id }) => id).sort()).toEqual(ids);
      const other = opened.again();
      expect((await other.launch(made)).instances.map(({ id }) => id).sort()).toEqual(ids);
      await opened.until(lists(ids));
      expect((await living(other)).map(({ id }) => id).sort()).toEqual(ids);
      await other.close();
    });

    test("starts others for another order", async () => {
      const [first, second] = await Promise.all([provider.launch(order()), provider.launch(order())]);
      expect(first.instances[0]?.id).not.toBe(second.instances[0]?.id);
    });

    test("ends what it is told to, again and again, also what is gone", async () => {
      const { instances } = await provider.launch(order({ count: 2 }));
      const ids = instances.map(({ id }) => id);
      await opened.until(lists(ids));
      expect((await provider.terminate(ids)).accepted.sort()).toEqual([...ids].sort());
      await opened.until(lacks(ids));
      expect((await provider.terminate(ids)).refusals).toEqual([]);
    });

    test("ends what an earlier process launched", async () => {
      const { instances } = await provider.launch(order());
      const ids = instances.map(({ id }) => id);
      await opened.until(lists(ids));
      const other = opened.again();
      expect((await other.terminate(ids)).accepted).toEqual(ids);
      await opened.until(lacks(ids));
      await other.close();
    });

    test("does not start an instance anew for an order that was ended", async () => {
      const made = order();
      const { instances } = await provider.launch(made);
      const ids = instances.map(({ id }) => id);
      await opened.until(lists(ids));
      await provider.terminate(ids);
      await opened.until(lacks(ids));
      await provider.launch(made).catch((error: unknown) => expect(error).toBeInstanceOf(CloudError));
      await opened.until(lacks(ids));
      expect(await living()).toEqual([]);
    });

    test("refuses a machine that it does not have, in the port's own words", async () => {
      const unknown = { ...(offered[0] as Offering), id: "on_demand:none:nowhere", type: "none", zone: "nowhere" };
      const codes: CloudErrorCode[] = ["invalid", "capacity"];
      const error = await provider.launch(order({ offerings: [unknown] })).then(
        () => null,
        (cause: unknown) => cause,
      );
      expect(error).toBeInstanceOf(CloudError);
      expect(codes).toContain((error as CloudError).code);
    });
  });
}
