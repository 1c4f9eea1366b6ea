/** The pages' feed: a snapshot, changes with numbers, and those who come back after a drop. */
import { beforeEach, expect, test } from "vitest";
import type { JobView, NodeView } from "../../protocol/rest.ts";
import { fakeJob, fakeStatus } from "../transport/fake-views.ts";
import type { NumberedFeedEvent } from "../transport/grid.ts";
import { Feed } from "./feed.ts";

let changes: { jobs: Set<string>; nodes: Set<string> };
let nowMs: number;
let feed: Feed;
/** Views that were asked for: none are made for nobody. */
let viewed: number;

const job = (id: string): JobView =>
  fakeJob(id, { workload: "w", payload: {}, priority: 5, submitter: "s", idempotencyKey: null, bodyHash: "" });

beforeEach(() => {
  changes = { jobs: new Set(), nodes: new Set() };
  nowMs = 0;
  viewed = 0;
  feed = new Feed(
    {
      jobView: (id) => {
        viewed++;
        return job(id);
      },
      nodeView: (id) => ({ node_id: id }) as NodeView,
      status: () => fakeStatus([], []),
      openJobs: () => [],
      takeChanges: () => {
        const taken = changes;
        changes = { jobs: new Set(), nodes: new Set() };
        return taken;
      },
    },
    1_000,
    () => nowMs,
  );
});

function publish(...jobs: string[]): void {
  changes.jobs = new Set(jobs);
  feed.publish();
}
function follow(after: number | null): { seen: NumberedFeedEvent[]; leave: () => void } {
  const seen: NumberedFeedEvent[] = [];
  return { seen, leave: feed.subscribeFeed(after, (event) => seen.push(event)) };
}
const jobsOf = ({ event }: NumberedFeedEvent): string[] => event.jobs.map((view) => view.task_id);

test("who drops off and comes back gets what it missed, once, and no second snapshot", () => {
  const first = follow(null);
  publish("a");
  expect(first.seen.map(({ event }) => event.event)).toEqual(["snapshot", "change"]);
  first.leave();
  nowMs = 20_000;
  publish("b");
  publish("c");
  const again = follow(first.seen.at(-1)?.id ?? 0);
  expect(again.seen.flatMap(jobsOf)).toEqual(["b", "c"]);
  publish("d");
  expect(again.seen.flatMap(jobsOf)).toEqual(["b", "c", "d"]);
  const ids = [...first.seen, ...again.seen].map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
});

test("a snapshot's number resumes too: after it when nothing was published yet, and beside other pages", () => {
  const first = follow(null);
  first.leave();
  publish("a");
  expect(follow(first.seen[0]?.id ?? 0).seen.flatMap(jobsOf)).toEqual(["a"]);
  const late = follow(null);
  late.leave();
  publish("b");
  expect(follow(late.seen[0]?.id ?? 0).seen.flatMap(jobsOf)).toEqual(["b"]);
});

test("a number of another run, or one too old, begins with a snapshot", () => {
  expect(follow(999).seen[0]?.event.event).toBe("snapshot");
  const slow = follow(null);
  const other = follow(null);
  slow.leave();
  for (let at = 0; at < 100; at++) publish(`j${at}`);
  expect(other.seen).toHaveLength(101);
  expect(follow(slow.seen[0]?.id ?? 0).seen.map(({ event }) => event.event)).toEqual(["snapshot"]);
  expect(follow(other.seen.at(-3)?.id ?? 0).seen.flatMap(jobsOf)).toEqual(["j99"]);
});

test("half a minute after the last page went nothing is gathered any more", () => {
  const page = follow(null);
  page.leave();
  nowMs = 31_000;
  publish("a");
  expect(viewed).toBe(0);
  expect(follow(page.seen[0]?.id ?? 0).seen.map(({ event }) => event.event)).toEqual(["snapshot"]);
});
