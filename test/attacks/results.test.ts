/** Results that are replayed, forged, reordered, doubled or another's: one commit for each grain, and nothing else. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LeaseMessage, ResultMessage } from "../../protocol/messages.ts";
import { packPartials, unpackPartials } from "../../protocol/partials.ts";
import type { AttackNode } from "./client.ts";
import { AttackedGrid, type SubmittedJob } from "./grid.ts";

const grid = new AttackedGrid();
/** Every job of this file, for the record at its end. */
const done: string[] = [];

beforeAll(() => grid.start(), 60_000);
afterAll(() => grid.end());

/** A volunteer with a lease of a new job, before anybody else is there. */
async function withLease(known?: AttackNode): Promise<{ node: AttackNode; lease: LeaseMessage; job: SubmittedJob }> {
  const node = known ?? (await grid.node().join());
  const job = await grid.submit();
  const lease = () => node.leases.find((candidate) => candidate.job === job.id);
  await node.until(() => lease() !== undefined, "no lease came");
  return { node, lease: lease() as LeaseMessage, job };
}

/** A node that answered before: a newcomer's first slices are of one grain. */
async function acquainted(): Promise<AttackNode> {
  const node = await grid.node().join();
  const job = await grid.submit();
  for (let answered = 0; answered < 3; answered++) {
    await node.until(() => node.leases[answered] !== undefined, "no lease came");
    const result = node.result(node.leases[answered] as LeaseMessage);
    node.send(result);
    expect(await node.verdictOn(result)).toBe("acked");
  }
  expect((await grid.cancel(job.id)).ok).toBe(true);
  return node;
}

async function finish({ node, job }: { node: AttackNode; job: SubmittedJob }): Promise<void> {
  const own = await grid.ownNode();
  await grid.expectRight(job);
  done.push(job.id);
  node.leave();
  own.leave();
}

test("doubled and replayed results are acknowledged each time and committed once", async () => {
  const { node, lease, job } = await withLease();
  const result = node.result(lease);
  node.send(result, result, result);
  await node.verdictOn(result);
  const again = node.renumbered(result);
  node.send(again);
  // Over a new connection of the same identity, too.
  expect(await node.verdictOn(again)).toBe("acked");
  node.leave();
  await node.join();
  const later = node.renumbered(result);
  node.send(later);
  expect(await node.verdictOn(later)).toBe("acked");
  await finish({ node, job });
  const late = await node.join().then(() => node.renumbered(result));
  node.send(late);
  expect(await node.verdictOn(late)).toBe("job_ended");
  node.leave();
});

test("results in any order cover each grain once", async () => {
  const { node, lease, job } = await withLease(await acquainted());
  expect(lease.hi - lease.lo).toBeGreaterThan(3);
  const pieces: ResultMessage[] = [];
  for (let grain = lease.hi - 1; grain >= lease.lo; grain--) pieces.push(node.result(lease, grain, grain + 1));
  // The whole comes in the middle of its pieces.
  pieces.splice(2, 0, node.result(lease));
  node.send(...pieces.slice(0, 3));
  for (const piece of pieces.slice(3)) node.send(piece);
  for (const piece of pieces) expect(await node.verdictOn(piece)).toBe("acked");
  await finish({ node, job });
});

test("results for another's lease, another kernel, round or range are refused by their reason", async () => {
  const victim = await withLease();
  const thief = await grid.node().join();
  const { lease } = victim;
  for (const [id, description] of victim.node.jobs) thief.jobs.set(id, description);
  const stolen = thief.result(lease);
  const other = "0".repeat(64);
  const forgeries: [string, ResultMessage][] = [
    ["not_your_lease", stolen],
    ["not_your_lease", { ...stolen, lease: "1.zzzz" }],
    ["not_your_lease", { ...stolen, lease: "1.zzzz", ticket: "A".repeat(lease.ticket.length) }],
    ["job_ended", { ...stolen, job: "0b7d1c1e-8f6a-4d35-9d6c-2f1f4f0f7a11" }],
    ["other_kernel", { ...stolen, kernel: other }],
    ["other_kernel", { ...stolen, build: other }],
    ["round_over", { ...stolen, round: lease.round + 1 }],
    ["range_outside_lease", { ...stolen, hi: lease.hi + 1 }],
    ["range_outside_lease", { ...stolen, lo: lease.hi, hi: lease.lo }],
    ["range_outside_lease", { ...stolen, leaseHi: 1 << 20, hi: 1 << 20 }],
    ["partials_do_not_match_range", { ...stolen, partials: packPartials(unpackPartials(stolen.partials).slice(1)) }],
    ["partials_do_not_match_range", { ...stolen, partials: new Uint8Array(0) }],
  ];
  for (const [reason, forgery] of forgeries) {
    const signed = thief.renumbered(forgery);
    thief.send(signed);
    expect(await thief.verdictOn(signed)).toBe(reason);
  }
  const wider = victim.node.renumbered({ ...victim.node.result(lease), leaseHi: lease.hi + 1 });
  victim.node.send(wider);
  expect(await victim.node.verdictOn(wider)).toBe("not_your_lease");
  // The lease is the victim's as before.
  const own = victim.node.result(lease);
  victim.node.send(own);
  expect(await victim.node.verdictOn(own)).toBe("acked");
  // Now that it is over, its ticket is all that counts: it is bound to its node.
  const late = thief.renumbered(stolen);
  thief.send(late);
  expect(await thief.verdictOn(late)).toBe("not_your_lease");
  thief.leave();
  await finish(victim);
});

test("forged signatures end the connection, and nothing of the frame counts", async () => {
  const victim = await withLease();
  const right = victim.node.result(victim.lease);
  const before = (await grid.job(victim.job.id)).progress;
  const attempts: [string, (node: AttackNode) => ResultMessage[]][] = [
    ["another's message, replayed", () => [right]],
    ["no signature", () => [{ ...right, signature: new Uint8Array(0) }]],
    [
      "a right one beside a forged one",
      (node) => [node.renumbered(right), { ...right, signature: new Uint8Array(64) }],
    ],
    ["bytes that are no partials", (node) => [node.renumbered({ ...right, partials: Uint8Array.of(255, 255, 1) })]],
    [
      "partials changed after signing",
      (node) => [{ ...node.sign(right), partials: right.partials.map((byte) => byte ^ 1) }],
    ],
  ];
  for (const [, forge] of attempts) {
    const liar = await grid.node().join();
    liar.send(...forge(liar));
    await liar.until(() => !liar.isOpen, "still connected");
    expect(liar.refusal).toMatchObject({ code: "bad_signature", retryMs: null });
    expect(liar.acked).toEqual([]);
  }
  const after = (await grid.job(victim.job.id)).progress;
  expect(after.grains_accepted + after.grains_candidate).toBe(before.grains_accepted + before.grains_candidate);
  victim.node.send(right);
  await finish(victim);
});

test("a lie that is well signed is audited, and the job comes out right", async () => {
  const { node, lease, job } = await withLease();
  const right = node.result(lease);
  const lies = unpackPartials(right.partials).map((partial) => partial.map((byte, at) => (at === 8 ? byte ^ 1 : byte)));
  node.send(node.renumbered({ ...right, partials: packPartials(lies) }));
  await finish({ node, job });
});

test("another's hello, another's key and a wrong join token open nothing", async () => {
  const victim = await grid.node({ hello: false }).connect();
  await victim.until(() => victim.heard.length > 0, "no challenge came");
  const nonceOf = (node: AttackNode) => (node.heard[0] as Extract<(typeof node.heard)[0], { type: "challenge" }>).nonce;
  const overheard = victim.hello(nonceOf(victim));
  victim.send(overheard);
  await victim.until(() => victim.heard.some(({ type }) => type === "welcome"), "no welcome came");
  const refused = async (forge: (node: AttackNode, nonce: Uint8Array) => Parameters<AttackNode["send"]>) => {
    const node = await grid.node({ hello: false }).connect();
    await node.until(() => node.heard.length > 0, "no challenge came");
    node.send(...forge(node, nonceOf(node)));
    await node.until(() => !node.isOpen, "still connected");
    return node.refusal?.code;
  };
  expect(await refused(() => [overheard])).toBe("bad_signature");
  expect(await refused((node, nonce) => [{ ...node.hello(nonce), publicKey: victim.publicKey }])).toBe("bad_signature");
  expect(await refused((node, nonce) => [{ ...node.hello(nonce), session: "another" }])).toBe("bad_signature");
  expect(await refused((node, nonce) => [{ ...node.hello(nonce), publicKey: new Uint8Array(32) }])).toBe(
    "bad_signature",
  );
  expect(await refused((node, nonce) => [{ ...node.hello(nonce), joinToken: "guess" }])).toBe("bad_join_token");
  expect(await refused((node, nonce) => [node.hello(nonce), node.hello(nonce)])).toBe("bad_message");
  expect(await refused(() => [{ type: "progress", leases: [] }])).toBe("bad_message");
  // The victim is not thrown out by any of that.
  expect(victim.isOpen).toBe(true);
  victim.leave();
});

test("in the record what was sent again is once, and no grain is without a result", async () => {
  expect(done.length).toBe(5);
  const [doubled, ...others] = done as [string, ...string[]];
  expect(new Set(await grid.commitsPerGrain(doubled))).toEqual(new Set([1]));
  // Results that overlap are all kept; their outputs above say that each grain was counted once.
  for (const id of others) expect(Math.min(...(await grid.commitsPerGrain(id)))).toBeGreaterThanOrEqual(1);
});
