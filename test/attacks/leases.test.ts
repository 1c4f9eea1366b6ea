/** Nodes that hold what they do not compute, or answer before they could have: work goes on without them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LeaseMessage } from "../../protocol/messages.ts";
import type { AttackNode } from "./client.ts";
import { AttackedGrid } from "./grid.ts";

// Leases end after 3 s without progress, and after 6 s with it, instead of 15 and 30.
const grid = new AttackedGrid([], { QUEZTL_TEST_TIMING: "fast" });

beforeAll(() => grid.start(), 60_000);
afterAll(() => grid.end());

test("progress that is only told holds a lease to its bound, and no longer", async () => {
  const node = await grid.node().join();
  const job = await grid.submit();
  await node.until(() => node.leases.length > 0, "no lease came");
  const [lease] = node.leases as [LeaseMessage];
  const startedMs = performance.now();
  let told = 0;
  const timer = setInterval(() => {
    told = Math.min(0.999, told + 0.001);
    node.send({ type: "progress", leases: [{ lease: lease.lease, done: 0, fraction: told }] });
  }, 100);
  await node.until(() => node.revoked.some((gone) => gone.lease === lease.lease), "it is held for ever", 20_000);
  clearInterval(timer);
  const heldMs = performance.now() - startedMs;
  expect(node.revoked.find((gone) => gone.lease === lease.lease)?.reason).toBe("deadline");
  // Longer than without progress, or it was not believed at all.
  expect(heldMs).toBeGreaterThan(3_000);
  node.leave();
  const own = await grid.ownNode();
  await grid.expectRight(job);
  own.leave();
}, 60_000);

test("who answers at once, and wrongly, gets nothing through, and soon no more work", async () => {
  const own = await grid.ownNode();
  const quick: AttackNode = await grid.node({ honest: true }).join();
  quick.lying = true;
  const isFound = async (): Promise<boolean> =>
    quick.refusal?.code === "banned" || ((await grid.nodeView(quick.nodeId))?.rejected_slices ?? 0) >= 2;
  // After the first it rests for five seconds.
  for (const endMs = performance.now() + 40_000; !(await isFound()); ) {
    expect(performance.now()).toBeLessThan(endMs);
    await grid.expectRight(await grid.submit());
  }
  const given = quick.leases.length;
  for (const endMs = performance.now() + 12_000; performance.now() < endMs; )
    await grid.expectRight(await grid.submit());
  expect(quick.leases.length).toBe(given);
  expect(await grid.nodeView(quick.nodeId)).toMatchObject({ accepted_slices: 0 });
  own.leave();
  quick.leave();
}, 60_000);

test("time of computing that cannot be true makes no slice too long for anybody", async () => {
  const node = await grid.node().join();
  const job = await grid.submit();
  for (let answered = 0; answered < 3; answered++) {
    await node.until(() => node.leases[answered] !== undefined, "no lease came");
    const result = node.sign({ ...node.result(node.leases[answered] as LeaseMessage), computeMs: 0 });
    node.send(result);
    expect(await node.verdictOn(result)).toBe("acked");
  }
  for (const { lo, hi } of node.leases) expect(hi - lo).toBeLessThanOrEqual(16);
  node.leave();
  const own = await grid.ownNode();
  await grid.expectRight(job);
  own.leave();
}, 60_000);
