/** What the dashboard knows: the feed's latest values, untouched, and a short history for the chart. */
import type { FeedEvent, JobView, NetworkStatus, NodeView } from "../../protocol/rest.ts";
import { formatFigure } from "../shared/format.ts";

export interface Model {
  status: Omit<NetworkStatus, "nodes"> | null;
  nodes: ReadonlyMap<string, NodeView>;
  /** Newest first. */
  jobs: ReadonlyMap<string, JobView>;
  /** When each job was last told of, in this page's milliseconds. */
  toldAtMs: ReadonlyMap<string, number>;
}

/** Jobs kept on the page; the oldest that ended go first. */
export const jobsMax = 200;

export const emptyModel: Model = { status: null, nodes: new Map(), jobs: new Map(), toldAtMs: new Map() };

/** The model after one event of the feed. */
export function applyFeed(model: Model, event: FeedEvent, nowMs: number): Model {
  if (event.event === "snapshot") {
    const { nodes, ...status } = event.status;
    return {
      status,
      nodes: new Map(nodes.map((node) => [node.node_id, node])),
      jobs: newestFirst(event.jobs),
      toldAtMs: new Map(event.jobs.map((job) => [job.task_id, nowMs])),
    };
  }
  const nodes = new Map(model.nodes);
  for (const id of event.gone_nodes) nodes.delete(id);
  for (const node of event.nodes) nodes.set(node.node_id, node);
  if (event.jobs.length === 0) return { ...model, status: event.status, nodes };
  const jobs = new Map(model.jobs);
  for (const job of event.jobs) jobs.set(job.task_id, job);
  const kept = newestFirst([...jobs.values()]);
  const toldAtMs = new Map([...model.toldAtMs].filter(([id]) => kept.has(id)));
  for (const job of event.jobs) if (kept.has(job.task_id)) toldAtMs.set(job.task_id, nowMs);
  return { status: event.status, nodes, jobs: kept, toldAtMs };
}

/** Adds jobs that the feed has not told of (those that ended before it began); what the feed said stands. */
export function addJobs(model: Model, jobs: readonly JobView[], nowMs: number): Model {
  const missing = jobs.filter((job) => !model.jobs.has(job.task_id));
  if (missing.length === 0) return model;
  const toldAtMs = new Map([...missing.map((job) => [job.task_id, nowMs] as const), ...model.toldAtMs]);
  return { ...model, jobs: newestFirst([...model.jobs.values(), ...missing]), toldAtMs };
}

/** Seconds since a job was submitted: as told, and going on while it is open and the feed says nothing new. */
export function elapsedSeconds(model: Model, job: JobView, nowMs: number): number {
  const told = model.toldAtMs.get(job.task_id);
  if (!isOpen(job) || told === undefined) return job.timings.elapsed_seconds;
  return job.timings.elapsed_seconds + Math.max(0, nowMs - told) / 1000;
}

const isOpen = (job: JobView): boolean => job.status === "queued" || job.status === "running";

function newestFirst(jobs: readonly JobView[]): Map<string, JobView> {
  const sorted = [...jobs].sort((a, b) => (a.timings.submitted_at < b.timings.submitted_at ? 1 : -1));
  let ended = Math.max(0, jobsMax - sorted.filter(isOpen).length);
  const kept = sorted.filter((job) => isOpen(job) || ended-- > 0);
  return new Map(kept.map((job) => [job.task_id, job]));
}

/** Nodes in a steady order: online first, own before others, then by name. */
export function orderNodes(nodes: Iterable<NodeView>): NodeView[] {
  const rank = (node: NodeView): number => (node.online ? 0 : 2) + (node.own ? 0 : 1);
  const name = (node: NodeView): string => node.name ?? node.node_id;
  return [...nodes].sort((a, b) => rank(a) - rank(b) || name(a).localeCompare(name(b)));
}

/** Core-seconds per second over time, one point a second, for uPlot: [unix seconds, values]. */
export interface History {
  times: number[];
  values: (number | null)[];
}

/** Ten minutes. */
export const historyPointsMax = 600;

/** Adds a point in place; `null` is a gap (the feed was not live). */
export function addPoint(history: History, timeSeconds: number, value: number | null): void {
  history.times.push(timeSeconds);
  history.values.push(value);
  if (history.times.length > historyPointsMax) {
    history.times.splice(0, history.times.length - historyPointsMax);
    history.values.splice(0, history.values.length - historyPointsMax);
  }
}

/** The scalar members of a result, for figures at a glance: nested objects count one level deep. */
export function keyFigures(result: unknown, figuresMax = 12): [string, string | number | boolean][] {
  const figures: [string, string | number | boolean][] = [];
  const visit = (value: unknown, prefix: string, depth: number): void => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return;
    for (const [key, inner] of Object.entries(value)) {
      if (figures.length >= figuresMax) return;
      const name = prefix === "" ? key : `${prefix} ${key}`;
      if (typeof inner === "number" || typeof inner === "boolean") figures.push([name, inner]);
      else if (typeof inner === "string" && inner.length <= 80) figures.push([name, inner]);
      else if (Array.isArray(inner) && inner.length <= 3 && inner.every((item) => typeof item === "number"))
        figures.push([name, inner.map(formatFigure).join(" … ")]);
      else if (depth < 1) visit(inner, name, depth + 1);
    }
  };
  visit(result, "", 0);
  return figures;
}

export interface ListedFile {
  name: string;
  url: string;
  bytes: number;
}

/** The files that a result lists; none for most. */
export function filesOf(result: unknown): ListedFile[] {
  const files = (result as { files?: unknown } | null | undefined)?.files;
  if (!Array.isArray(files)) return [];
  return files.filter(
    (file): file is ListedFile =>
      typeof file?.name === "string" && typeof file.bytes === "number" && /^\/api\/v1\.2\//.test(file.url),
  );
}
