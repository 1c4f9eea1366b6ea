import { expect, test } from "vitest";
import type { FeedEvent, JobView, NetworkStatus, NodeView } from "../../protocol/rest.ts";
import {
  addJobs,
  addPoint,
  applyFeed,
  elapsedSeconds,
  emptyModel,
  filesOf,
  type History,
  historyPointsMax,
  jobsMax,
  keyFigures,
  orderNodes,
} from "./model.ts";

const node = (node_id: string, extra: Partial<NodeView> = {}): NodeView =>
  ({ node_id, name: null, own: false, online: true, ...extra }) as NodeView;
const job = (task_id: string, at: number, status: JobView["status"] = "completed"): JobView =>
  ({ task_id, status, timings: { submitted_at: new Date(at).toISOString() } }) as JobView;
const status = (total: number): Omit<NetworkStatus, "nodes"> =>
  ({ registry: { total_nodes: total } }) as unknown as NetworkStatus;

test("a snapshot replaces, a change adds, updates and removes", () => {
  const snapshot: FeedEvent = {
    event: "snapshot",
    status: { ...status(2), nodes: [node("a"), node("b")] } as NetworkStatus,
    jobs: [job("old", 1), job("new", 2)],
  };
  const first = applyFeed(emptyModel, snapshot, 1000);
  expect([...first.jobs.keys()]).toEqual(["new", "old"]);
  const change: FeedEvent = {
    event: "change",
    status: status(2),
    nodes: [node("c"), node("a", { name: "Ada" })],
    gone_nodes: ["b"],
    jobs: [job("newest", 3)],
  };
  const second = applyFeed(first, change, 2000);
  expect([...second.nodes.keys()].sort()).toEqual(["a", "c"]);
  expect(second.nodes.get("a")?.name).toBe("Ada");
  expect([...second.jobs.keys()]).toEqual(["newest", "new", "old"]);
  expect([...first.nodes.keys()]).toEqual(["a", "b"]);
  expect(Object.fromEntries(second.toldAtMs)).toEqual({ new: 1000, old: 1000, newest: 2000 });
  const again = applyFeed(second, { ...snapshot, status: { ...status(0), nodes: [] } as never, jobs: [] }, 3000);
  expect([again.nodes.size, again.jobs.size, again.toldAtMs.size]).toEqual([0, 0, 0]);
});

test("open jobs are never dropped from the page for ended ones", () => {
  const jobs = [job("open", 0, "running"), ...Array.from({ length: jobsMax + 50 }, (_, at) => job(`j${at}`, at + 1))];
  const model = applyFeed(emptyModel, { event: "snapshot", status: { ...status(0), nodes: [] } as never, jobs }, 0);
  expect(model.jobs.size).toBe(jobsMax);
  expect(model.jobs.has("open")).toBe(true);
  expect(model.jobs.has("j0")).toBe(false);
});

test("jobs of the list fill in behind the feed", () => {
  const running = job("a", 5, "running");
  const model = applyFeed(
    emptyModel,
    { event: "snapshot", status: { ...status(0), nodes: [] } as never, jobs: [running] },
    0,
  );
  const filled = addJobs(model, [job("a", 5, "queued"), job("b", 9)], 1);
  expect([...filled.jobs.keys()]).toEqual(["b", "a"]);
  expect(filled.jobs.get("a")).toBe(running);
  expect(addJobs(filled, [job("b", 9)], 2)).toBe(filled);
});

test("an open job's time goes on between two events, an ended one's does not", () => {
  const timed = (id: string, status: JobView["status"]): JobView =>
    ({ ...job(id, 0, status), timings: { submitted_at: "", elapsed_seconds: 4 } }) as JobView;
  const jobs = [timed("open", "queued"), timed("ended", "completed")];
  const model = applyFeed(
    emptyModel,
    { event: "snapshot", status: { ...status(0), nodes: [] } as never, jobs },
    10_000,
  );
  expect(jobs.map((each) => elapsedSeconds(model, each, 13_000))).toEqual([7, 4]);
});

test("nodes are ordered online, own, name", () => {
  const nodes = [node("z"), node("off", { online: false, own: true }), node("own", { own: true }), node("a")];
  expect(orderNodes(nodes).map((each) => each.node_id)).toEqual(["own", "a", "z", "off"]);
});

test("history is bounded", () => {
  const history: History = { times: [], values: [] };
  for (let at = 0; at < historyPointsMax + 10; at++) addPoint(history, at, at % 2 ? at : null);
  expect(history.times).toHaveLength(historyPointsMax);
  expect(history.times[0]).toBe(10);
  expect(history.values).toHaveLength(historyPointsMax);
});

test("key figures are the scalars of a result", () => {
  expect(keyFigures({ estimate: 3.14, interval: [3.1, 3.2], deep: { a: 1, b: { c: 2 } }, rows: [1, 2, 3, 4] })).toEqual(
    [
      ["estimate", 3.14],
      ["interval", "3.1 … 3.2"],
      ["deep a", 1],
    ],
  );
});

test("files are those that a result lists, at addresses of this coordinator", () => {
  const file = { name: "image.png", bytes: 5, url: "/api/v1.2/workload/a/files/image.png" };
  expect(filesOf({ files: [file, { name: "x", bytes: 1, url: "https://elsewhere/x" }, null, 7] })).toEqual([file]);
  for (const none of [null, undefined, {}, { files: "x" }, 3]) expect(filesOf(none)).toEqual([]);
});
