/** Receipts of real jobs, held against the verifier, which shares no code with what makes them. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GrainProof, Receipt, ReceiptRange } from "../../protocol/ledger.ts";
import { inclusionProofs, merkleRoot } from "../../protocol/merkle.ts";
import { verifyReceipt } from "../../scripts/verify-receipt.mjs";
import type { Coordinator } from "../../server/coordinator.ts";
import { canonical } from "../../server/ledger/canonical.ts";
import { CoordinatorKey } from "../../server/ledger/key.ts";
import { hex, rangeLeaf, sha256, sha256Hex } from "../../server/ledger/receipt.ts";
import { signedText } from "../../server/ledger/receipts.ts";
import { FakeNode } from "../../server/testing/fake-node.ts";
import { encodeSum } from "../../server/testing/workload.ts";
import { complete, joinToken, type Parts, parts, request, start, until } from "./world.ts";

/** Short slices, so that a job of some grains is the work of several leases and nodes. */
const few = { config: { recoveryMs: 200, reconnectMs: 200, sliceGrainsMax: 3 } };

type Options = Parameters<typeof verifyReceipt>[1];

/** The checks that failed; "form" for what is no receipt at all. */
function failed(receipt: unknown, options?: Options): string[] {
  try {
    const checks = verifyReceipt(receipt as never, options);
    return checks.filter(({ holds }) => !holds).map(({ name }) => name);
  } catch {
    return ["form"];
  }
}

const clone = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value)) as Value;

/** What a coordinator could make of a changed receipt: everything that it can sign or compute anew. */
function remade(receipt: Receipt, key: CoordinatorKey, change: (receipt: Receipt) => void): Receipt {
  const changed = clone(receipt);
  change(changed);
  const leaves = changed.ranges.map(({ range }) => rangeLeaf(range));
  const proofs = inclusionProofs(leaves, sha256);
  for (const [index, entry] of changed.ranges.entries())
    Object.assign(entry, { index, proof: proofs[index]?.map(hex) });
  changed.statement.ranges = { count: leaves.length, root: hex(merkleRoot(leaves, sha256)) };
  const text = canonical(changed.statement);
  changed.hash = sha256Hex(text);
  changed.signature = hex(key.sign(signedText(text)));
  return changed;
}

/** Paths to every value in a document. */
function* paths(value: unknown, path: (string | number)[] = []): Generator<(string | number)[]> {
  if (typeof value !== "object" || value === null) yield path;
  else
    for (const [name, inner] of Object.entries(value))
      yield* paths(inner, [...path, Array.isArray(value) ? Number(name) : name]);
}

function tampered(receipt: Receipt, path: readonly (string | number)[]): Receipt {
  const copy = clone(receipt);
  let at = copy as never as Record<string | number, unknown>;
  for (const name of path.slice(0, -1)) at = at[name] as typeof at;
  const last = path.at(-1) as string | number;
  const value = at[last];
  if (typeof value === "number") at[last] = value + 1;
  else if (typeof value === "boolean") at[last] = !value;
  else if (value === null) at[last] = "ab".repeat(32);
  else at[last] = /^[0-9a-f]+$/.test(String(value)) ? flipped(String(value)) : `${String(value)}x`;
  return copy;
}

const flipped = (text: string): string => `${text.slice(0, -1)}${text.endsWith("0") ? "1" : "0"}`;

describe("a receipt", () => {
  let made: Parts;
  let coordinator: Coordinator;
  let job: string;
  let receipt: Receipt;

  beforeAll(async () => {
    made = parts();
    coordinator = await start(made, few);
    // The volunteer computes too; what it brings is audited by the own node.
    new FakeNode({ joinToken: null }).join(coordinator);
    const own = new FakeNode({ joinToken }).join(coordinator);
    await until(() => own.heard.some(({ type }) => type === "welcome"));
    job = await complete(coordinator, { payload: { tasks: 400 } });
    receipt = JSON.parse((await coordinator.receipts.receipt(job, null)) as string);
  });
  afterAll(() => coordinator.stop());

  it("says what the result rests on, and holds", async () => {
    expect(failed(receipt)).toEqual([]);
    const { statement, ranges } = receipt;
    expect(statement).toMatchObject({ type: "queztl.receipt.v1", sequence: 1, previous: null, final: false });
    expect(statement.job).toMatchObject({ task_id: job, workload_type: "sum", kernel: "a".repeat(64), revision: 1 });
    expect(statement.rounds).toEqual([
      { round: 0, tasks: 400, grain_tasks: 10, grains: 40, grains_covered: 40, input_sha256: null },
    ]);
    expect(ranges.at(-1)?.range.hi).toBe(40);
    const byReason = Object.values(statement.verification.grains_by_reason).reduce((sum, grains) => sum + grains, 0);
    expect(byReason).toBe(40);
    expect(new Set(ranges.map(({ range }) => range.reason))).toEqual(new Set(["own_node", "audit"]));
    expect(statement.verification.words[0]).toBe("All 40 grains are covered by results that their nodes signed.");
    expect(statement.verification.job).toMatchObject({ accepted_results: ranges.length });
  });

  it("fails when any value in it is changed", () => {
    const all = [...paths(receipt)];
    expect(all.length).toBeGreaterThan(60);
    for (const path of all) {
      expect(failed(tampered(receipt, path)), path.join(".")).not.toEqual([]);
    }
  });

  it("fails when a range is missing, added, or elsewhere", () => {
    const changes: ((receipt: Receipt) => void)[] = [
      ({ ranges }) => void ranges.pop(),
      ({ ranges }) => void ranges.shift(),
      ({ ranges }) => void ranges.push(clone(ranges[0] as (typeof ranges)[number])),
      ({ ranges }) => void ranges.reverse(),
    ];
    for (const change of changes) {
      const copy = clone(receipt);
      change(copy);
      expect(failed(copy)).not.toEqual([]);
    }
  });

  it("fails where the coordinator itself lies about what nodes signed", () => {
    const first = (change: (range: ReceiptRange) => void) => (made: Receipt) =>
      change((made.ranges[0] as { range: ReceiptRange }).range);
    const lies: Record<string, (receipt: Receipt) => void> = {
      "another root": first((range) => {
        range.signed.root = "ab".repeat(32);
      }),
      "more grains": first((range) => {
        range.signed.hi += 1;
      }),
      "another lease": first((range) => {
        range.signed.lease += "x";
      }),
      "another backend": first((range) => {
        range.signed.backend = "webgpu";
      }),
      "another file of the kernel": first((range) => {
        range.signed.build = "c".repeat(64);
      }),
      "no signature": first((range) => {
        range.signed.signature = "";
      }),
      "another node": first((range) => {
        range.node_id = "0123456789abcdef";
      }),
      "no key": first((range) => {
        range.public_key = "";
      }),
      "another job": (made) => {
        made.statement.job.task_id = "other";
      },
      "another kernel": (made) => (made.statement.job.kernel = "d".repeat(64)),
    };
    for (const [name, lie] of Object.entries(lies)) {
      expect(failed(remade(receipt, made.key, lie)), name).toEqual(["nodes"]);
    }
    const otherRound = first((range) => {
      range.round = 1;
    });
    expect(failed(remade(receipt, made.key, otherRound))).toEqual(["nodes", "coverage"]);
  });

  it("fails where ranges leave a gap, overlap or end elsewhere, though all is signed", () => {
    const gap = remade(receipt, made.key, ({ ranges }) => void ranges.splice(1, 1));
    expect(failed(gap)).toContain("coverage");
    const twice = remade(receipt, made.key, ({ ranges }) => void ranges.splice(1, 0, clone(ranges[0]!)));
    expect(failed(twice)).toContain("coverage");
    const shorter = remade(receipt, made.key, ({ statement }) => {
      statement.rounds[0]!.grains -= 1;
    });
    expect(failed(shorter)).toContain("coverage");
    const covered = remade(receipt, made.key, ({ statement }) => {
      statement.rounds[0]!.grains_covered -= 1;
    });
    expect(failed(covered)).toContain("coverage");
    const noRound = remade(receipt, made.key, ({ statement }) => void statement.rounds.pop());
    expect(failed(noRound)).toContain("coverage");
  });

  it("fails where the numbers are not those of the ranges", () => {
    const shares = remade(receipt, made.key, ({ statement }) => {
      statement.verification.grains_by_own_nodes += 1;
    });
    expect(failed(shares)).toEqual(["numbers"]);
    const final = remade(receipt, made.key, ({ statement }) => {
      statement.final = true;
    });
    expect(failed(final)).toEqual(["numbers"]);
  });

  it("is pinned to the coordinator's key", async () => {
    const { public_key } = await coordinator.receipts.key();
    expect(failed(receipt, { key: public_key })).toEqual([]);
    expect(failed(receipt, { key: "ab".repeat(32) })).toEqual(["key"]);
    const forged = remade(receipt, CoordinatorKey.fresh(), () => {});
    expect(failed(forged)).toEqual(["signature"]);
    const other = CoordinatorKey.fresh();
    const whole = remade(receipt, other, ({ statement }) => {
      statement.coordinator.public_key = other.publicKey;
    });
    expect(failed(whole)).toEqual([]);
    expect(failed(whole, { key: public_key })).toEqual(["key"]);
  });

  it("is held against the output", async () => {
    const output = await coordinator.result(job);
    const answer = { task_id: job, result: output?.output };
    expect(failed(receipt, { output: Buffer.from(JSON.stringify(answer, null, 2)) })).toEqual([]);
    expect(failed(receipt, { output: Buffer.from(JSON.stringify(output?.output)) })).toEqual([]);
    expect(failed(receipt, { output: Buffer.from('{"result":{"sum":1}}') })).toEqual(["output"]);
    expect(failed(receipt, { output: Buffer.from("no JSON") })).toEqual(["output"]);
  });

  it("shows one range alone, with its proof", async () => {
    const extract = JSON.parse((await coordinator.receipts.receipt(job, { round: 0, grain: 17 })) as string) as Receipt;
    const { range } = extract.ranges[0] as { range: ReceiptRange };
    expect(range.lo <= 17 && 17 < range.hi).toBe(true);
    expect(failed(extract, { extract: true })).toEqual([]);
    expect(failed(extract)).toContain("ranges");
    for (const path of paths(extract))
      expect(failed(tampered(extract, path), { extract: true }), path.join(".")).not.toEqual([]);
    expect(await coordinator.receipts.receipt(job, { round: 0, grain: 40 })).toBeNull();
    expect(await coordinator.receipts.receipt(job, { round: 1, grain: 0 })).toBeNull();
  });

  it("shows one grain as its node answered it", async () => {
    const grain = (await coordinator.receipts.grain(job, 0, 17)) as GrainProof;
    // Tasks 170 to 179, whose sum is the partial.
    expect(grain.partial).toBe(hex(encodeSum(1745)));
    expect(failed(receipt, { grain })).toEqual([]);
    const lie = hex(encodeSum(1746));
    for (const change of [
      { partial: lie },
      { grain: 18 },
      { round: 1 },
      { task_id: "x" },
      { proof: [] },
      { type: "x" },
    ]) {
      expect(failed(receipt, { grain: { ...grain, ...change } }), JSON.stringify(change)).toEqual(["grain"]);
    }
    expect(await coordinator.receipts.grain(job, 0, 40)).toBeNull();
    expect(await coordinator.receipts.grain(job, 1, 0)).toBeNull();
    expect(await coordinator.receipts.grain("no job", 0, 0)).toBeNull();
  });

  it("stays the same when asked for again, and the next one is chained to it", async () => {
    expect(JSON.parse((await coordinator.receipts.receipt(job, null)) as string)).toEqual(receipt);
    const [second, third] = await Promise.all([
      complete(coordinator, { payload: { tasks: 30 } }),
      complete(coordinator, { payload: { tasks: 31 } }),
    ]);
    // Asked for at the same time, they are still one after the other.
    const texts = await Promise.all([second, third, second].map((id) => coordinator.receipts.receipt(id, null)));
    const [a, b, again] = texts.map((text) => JSON.parse(text as string) as Receipt) as [Receipt, Receipt, Receipt];
    expect(again).toEqual(a);
    expect([a.statement.sequence, b.statement.sequence].sort()).toEqual([2, 3]);
    const [early, late] = a.statement.sequence === 2 ? [a, b] : [b, a];
    expect(failed(early, { previous: receipt })).toEqual([]);
    expect(failed(late, { previous: early })).toEqual([]);
    expect(failed(late, { previous: receipt })).toEqual(["previous"]);
    expect((await coordinator.receipts.chain(1, 10)).map(({ hash, previous }) => [hash, previous])).toEqual([
      [early.hash, receipt.hash],
      [late.hash, early.hash],
    ]);
    expect((await coordinator.receipts.key()).head).toEqual({ sequence: 3, hash: late.hash });
  });

  it("goes on after a restart, with its key and its chain", async () => {
    await coordinator.stop();
    coordinator = await start(made);
    expect(JSON.parse((await coordinator.receipts.receipt(job, null)) as string)).toEqual(receipt);
    new FakeNode({ joinToken }).join(coordinator);
    const next = JSON.parse(
      (await coordinator.receipts.receipt(await complete(coordinator), null)) as string,
    ) as Receipt;
    expect(next.statement.sequence).toBe(4);
    expect(failed(next, { key: made.key.publicKey })).toEqual([]);
  });

  it("has no name in it", () => {
    const text = JSON.stringify(receipt);
    expect(text).not.toMatch(/"name"|"team"|"submitter"/);
  });
});

it("keeps a volunteer's key with its first result: a coordinator that is killed can still show it", async () => {
  const made = parts();
  const coordinator = await start(made);
  const node = new FakeNode({ joinToken: null }).join(coordinator);
  await coordinator.submit(request({ payload: { tasks: 5 } }));
  await until(() => node.acked.length > 0);
  // Not stopped: what is on record now is what a kill leaves.
  const [result] = await made.store.results((await coordinator.jobs({ limit: 1 })).jobs[0]!.task_id, 0);
  const [known] = await made.store.ledger.nodeKeys([result!.node]);
  expect(createHash("sha256").update(known!.publicKey).digest("hex").slice(0, 16)).toBe(result!.node);
  await coordinator.stop();
});
