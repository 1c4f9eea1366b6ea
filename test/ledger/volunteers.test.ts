/** Credit of volunteers as it is told: leaderboard, own page, postings, and what identities say of themselves. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { VolunteerStatement } from "../../protocol/ledger.ts";
import type { Coordinator } from "../../server/coordinator.ts";
import { statementText } from "../../server/ledger/volunteers.ts";
import { FakeNode } from "../../server/testing/fake-node.ts";
import { complete, joinToken, type Parts, parts, start, until } from "./world.ts";

/** Paydays come at once. */
const soon = { credit: { delayMs: 0, periodMs: 20 } };

let made: Parts;
let coordinator: Coordinator;
let volunteer: FakeNode;

const isThere = (node: FakeNode): Promise<void> => until(() => node.heard.some(({ type }) => type === "welcome"));
const page = () => coordinator.volunteers.volunteer(volunteer.id);
const earned = async (): Promise<number> => (await page())?.core_seconds ?? 0;

beforeEach(async () => {
  made = parts();
  coordinator = await start(made, soon);
  volunteer = new FakeNode({ joinToken: null }).join(coordinator);
  await isThere(volunteer);
});
afterEach(() => coordinator.stop());

/** The volunteer computes a job; an own node comes afterwards and audits it. */
async function work(submitter = "ada"): Promise<string> {
  const before = volunteer.acked.length;
  const done = complete(coordinator, { submitter });
  await until(() => volunteer.acked.length > before);
  const own = new FakeNode({ joinToken }).join(coordinator);
  const job = await done;
  own.leave();
  return job;
}

type Said = Partial<Extract<VolunteerStatement, { action: "profile" }>> | { action: "erase" };

function statement(said: Said, node = volunteer, atMs = Date.now()) {
  const profile = { action: "profile", team: null, submitter: null };
  const text = JSON.stringify({
    ...(said.action === "erase" ? {} : profile),
    ...said,
    volunteer: volunteer.id,
    issued_at: new Date(atMs).toISOString(),
  });
  return { statement: text, public_key: node.publicKey, signature: node.sign(statementText(text)) };
}
const state = (said: Said, caller: string | null = null) =>
  coordinator.volunteers.state(volunteer.id, statement(said), caller);

it("work is credited once, and ranked; postings say what for, and a restart forgets none", async () => {
  expect(await page()).toMatchObject({ volunteer_id: volunteer.id, core_seconds: 0, rank: null });
  const job = await work();
  await until(async () => (await earned()) > 0);
  const { volunteers, teams } = await coordinator.volunteers.leaderboard(10);
  expect(volunteers).toEqual([
    expect.objectContaining({ volunteer_id: volunteer.id, rank: 1, core_seconds: await earned() }),
  ]);
  expect(teams).toEqual([]);
  const told = await coordinator.volunteers.postings(volunteer.id, 100);
  expect(new Set(told?.postings.map(({ kind, task_id }) => `${kind} ${task_id}`))).toEqual(new Set([`grant ${job}`]));
  const sum = told?.postings.reduce((total, posting) => total + posting.core_seconds, 0);
  expect(sum).toBeCloseTo(await earned(), 9);
  const before = await earned();
  await coordinator.stop();
  coordinator = await start(made, soon);
  await until(async () => (await earned()) > 0);
  expect(await earned()).toBeCloseTo(before, 9);
});

it("one's own jobs earn nothing, once the submitter's own key said whose they are", async () => {
  await expect(state({ submitter: "ada" }, "eve")).rejects.toMatchObject({ code: "invalid_statement" });
  await state({ submitter: "ada" }, "ada");
  await work("ada");
  await work("bob");
  await until(async () => (await earned()) > 0);
  const jobs = (await coordinator.volunteers.postings(volunteer.id, 100))?.postings.map(({ task_id }) => task_id) ?? [];
  for (const id of jobs) expect((await coordinator.job(id))?.submitter).toBe("bob");
});

it("an identity speaks for itself alone, freshly, and each statement counts once", async () => {
  const said = statement({ team: "Bees" });
  expect(await coordinator.volunteers.state(volunteer.id, said, null)).toMatchObject({ team: "Bees" });
  const refused = (body: ReturnType<typeof statement>) =>
    expect(coordinator.volunteers.state(volunteer.id, body, null)).rejects.toMatchObject({ code: "invalid_statement" });
  await refused(said);
  await refused(statement({ team: "Wasps" }, new FakeNode({ joinToken: null })));
  await refused({ ...statement({ team: "Wasps" }), signature: volunteer.sign("something else") });
  await refused({ ...statement({ team: "Wasps" }), statement: "not JSON" });
  await refused(statement({ team: "Wasps" }, volunteer, Date.now() + 3_600_000));
  await refused(statement({ team: "x".repeat(100) }));
  expect(await page()).toMatchObject({ team: "Bees" });
});

it("teams add up, and what is personal can be erased, while the credit stays a pseudonym's", async () => {
  await state({ team: "Bees" });
  await work();
  await until(async () => (await earned()) > 0);
  const { teams } = await coordinator.volunteers.leaderboard(10);
  expect(teams).toEqual([{ team: "Bees", volunteers: 1, core_seconds: await earned() }]);
  const before = await earned();
  expect(await state({ action: "erase" })).toMatchObject({ team: null, name: null, core_seconds: before });
  expect((await coordinator.volunteers.leaderboard(10)).teams).toEqual([]);
  expect(await coordinator.volunteers.erase(volunteer.id)).toBe(true);
  expect(await coordinator.volunteers.erase("0".repeat(16))).toBe(false);
});
