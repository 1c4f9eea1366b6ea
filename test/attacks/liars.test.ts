/** A node that earns trust and then lies: what it costs the researcher, and what the record says afterwards. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Receipt } from "../../protocol/ledger.ts";
import { until } from "../chaos/processes.ts";
import type { AttackNode } from "./client.ts";
import { AttackedGrid, type SubmittedJob } from "./grid.ts";

const grid = new AttackedGrid(["--webhook-host", "127.0.0.1"]);
/** What the submitter was told of its jobs, in order. */
const told: { type: string; data: { task_id: string; revision: number } }[] = [];
const submitter = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on("end", () => {
    told.push(JSON.parse(body));
    response.writeHead(204).end();
  });
});
let own: AttackNode;
let liar: AttackNode;

beforeAll(async () => {
  await new Promise<void>((resolve) => submitter.listen(0, "127.0.0.1", resolve));
  await grid.start();
});
afterAll(async () => {
  submitter.close();
  await grid.end();
});

/** Answers honestly, with an own node that audits it, until it is trusted. */
async function earnTrust(node: AttackNode): Promise<void> {
  for (let jobs = 0; (await grid.nodeView(node.nodeId))?.trust !== "trusted"; jobs++) {
    if (jobs === 40)
      throw new Error(`not trusted after ${jobs} jobs: ${JSON.stringify(await grid.nodeView(node.nodeId))}`);
    await grid.expectRight(await grid.submit());
  }
}

async function receiptOf({ id }: SubmittedJob): Promise<Receipt> {
  return (await (await grid.ask(`/api/v1.2/workload/${id}/receipt`)).json()) as Receipt;
}

test("a newcomer's every result is audited, and says so in the receipt", async () => {
  own = await grid.ownNode();
  liar = await grid.node({ honest: true }).join();
  let job: SubmittedJob;
  do {
    job = await grid.submit();
    await grid.expectRight(job);
  } while ((await grid.nodeView(liar.nodeId))?.accepted_slices === 0);
  expect((await grid.nodeView(liar.nodeId))?.trust).toBe("newcomer");
  const { ranges } = await receiptOf(job);
  const ofVolunteer = ranges.filter(({ range }) => range.node_id === liar.nodeId);
  for (const { range } of ofVolunteer) {
    expect(range.reason).toBe("audit");
    expect(range.audits[0]).toMatchObject({ kind: "audit", node_id: own.nodeId, own: true, verdict: "agrees" });
  }
});

test("a trusted node's work is taken back with its first lie, in finished jobs too", async () => {
  await earnTrust(liar);
  // Alone, so that all of the job rests on its word; the researcher does not wait for the tests of that.
  own.leave();
  let early: SubmittedJob;
  do {
    const webhook = `http://127.0.0.1:${(submitter.address() as AddressInfo).port}/told`;
    early = await grid.submit(undefined, { early_results: true, audit: 0.05 }, { webhook });
    await until(
      async () => (await grid.job(early.id)).status === "completed" || null,
      20_000,
      () => `job ${early.id} is not completed`,
    ).catch(() => null);
    // Now and then an audit is drawn, which waits for an own node.
  } while ((await grid.job(early.id)).status !== "completed");
  const before = await grid.job(early.id);
  expect(before.verification).toMatchObject({ standing: "provisional", retracted_results: 0 });
  expect(before.revision).toBe(1);
  expect((await receiptOf(early)).statement).toMatchObject({ final: false, job: { revision: 1 } });

  liar.lying = true;
  const wrong = await grid.submit(undefined, { audit: 1 });
  await liar.until(() => liar.sent.some(({ job }) => job === wrong.id), "it told no lie");
  own = await grid.ownNode();
  await liar.until(() => liar.refusal?.code === "banned", "it was not banned");
  expect(await grid.nodeView(liar.nodeId)).toMatchObject({ trust: "banned" });

  await until(
    async () => (await grid.job(early.id)).revision === 2 || null,
    10_000,
    () => `job ${early.id} was not opened again`,
  );
  const again = await grid.expectRight(early);
  expect(again.verification.retracted_results).toBeGreaterThan(0);
  expect(again.verification.own_results).toBe(again.verification.accepted_results);
  expect(again.verification.standing).toBe("confirmed");
  expect((await receiptOf(early)).statement.job.revision).toBe(2);
  await grid.expectRight(wrong);
  const ofEarly = () =>
    told.filter(({ data }) => data.task_id === early.id).map(({ type, data }) => [type, data.revision]);
  await until(
    () => ofEarly().length === 3 || null,
    10_000,
    () => `the submitter was told ${JSON.stringify(told)}`,
  );
  expect(ofEarly()).toEqual([
    ["job.completed", 1],
    ["job.retracted", 2],
    ["job.completed", 2],
  ]);
});

test("a banned identity is refused at the door, after a restart too", async () => {
  const refusals = liar.heard.length;
  await liar.connect();
  await liar.until(() => liar.heard.slice(refusals).some(({ type }) => type === "refuse"), "it was let in");
  await grid.coordinator.kill();
  await grid.start();
  const later = liar.heard.length;
  await liar.connect();
  await liar.until(() => liar.heard.slice(later).some(({ type }) => type === "refuse"), "it was let in");
  expect(liar.heard.at(-1)).toMatchObject({ type: "refuse", code: "banned" });
});
