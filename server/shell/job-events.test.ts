import { describe, expect, test } from "vitest";
import type { JobView } from "../../protocol/rest.ts";
import { Feed } from "./feed.ts";
import { subscribeToJob } from "./job-events.ts";

const view = (status: JobView["status"]): JobView => ({ task_id: "j", status, preview: null, progress: {} }) as JobView;
const feedOf = (): Feed =>
  new Feed(
    {
      jobView: () => null,
      nodeView: () => null,
      status: () => ({ nodes: [] }) as never,
      openJobs: () => [],
      takeChanges: () => ({ jobs: new Set<string>(), nodes: new Set<string>() }),
    },
    1,
  );
const subscribed = (present: JobView | null, recorded: Promise<JobView | null>, feed = feedOf()) => {
  const told: string[] = [];
  const leave = subscribeToJob(feed, { present: () => present, recorded: () => recorded }, "j", null, ({ event }) => {
    told.push("job" in event ? `${event.event} ${event.job.status}` : event.event);
  });
  return { feed, told, leave };
};
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("who asks for a job's events", () => {
  test("while its end is being recorded is told of it", async () => {
    const { feed, told } = subscribed(null, Promise.resolve(view("running")));
    await soon();
    expect(told).toEqual([]);
    feed.ended(view("completed"));
    expect(told).toEqual(["state completed"]);
  });

  test("of one of long ago is told what the record has, also where its end was told before", async () => {
    const { told, feed } = subscribed(null, Promise.resolve(view("failed")));
    await soon();
    expect(told).toEqual(["state failed"]);
    const later = subscribed(null, Promise.resolve(view("failed")), feed);
    await soon();
    expect(later.told).toEqual(["state failed"]);
  });

  test("and leaves before the record answers is told nothing", async () => {
    const { feed, told, leave } = subscribed(null, Promise.resolve(view("completed")));
    leave();
    await soon();
    feed.ended(view("completed"));
    expect(told).toEqual([]);
  });

  test("where the record cannot be read still hears of the end", async () => {
    const { feed, told } = subscribed(null, Promise.reject(new Error("storage")));
    await soon();
    feed.ended(view("completed"));
    expect(told).toEqual(["state completed"]);
  });
});
