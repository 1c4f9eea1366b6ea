/** Live updates: events of single jobs, and the pages' one feed. What changed is gathered, and told at most every 500 ms. */
import type { FeedEvent, JobEvent, JobState, JobView, NetworkStatus, NodeView } from "../../protocol/rest.ts";
import { isFinal, type NumberedJobEvent, type Unsubscribe } from "../transport/grid.ts";

export interface FeedPorts {
  jobView(id: string): JobView | null;
  nodeView(id: string): NodeView | null;
  status(): NetworkStatus;
  openJobs(): JobView[];
  takeChanges(): { jobs: Set<string>; nodes: Set<string> };
}

type JobListener = (event: NumberedJobEvent) => void;

interface JobChannel {
  listeners: Set<JobListener>;
  kept: NumberedJobEvent[];
  /** As last told; null before the first time. */
  status: JobState | null;
  preview: string;
}

/** Changed jobs in one message of the pages' feed; the counts in its status are always whole. */
const feedJobsMax = 200;
const keptEventsMax = 64;
/** Jobs whose recent events are kept although nobody listens. */
const channelsMax = 1_000;

export class Feed {
  readonly #channels = new Map<string, JobChannel>();
  readonly #listeners = new Set<(event: FeedEvent) => void>();
  #nextId: number;
  #known = new Set<string>();

  /** `firstId` must be above every id of earlier runs, so that `Last-Event-ID` never points ahead. */
  constructor(
    private readonly ports: FeedPorts,
    firstId: number,
  ) {
    this.#nextId = firstId;
  }

  subscribeFeed(listener: (event: FeedEvent) => void): Unsubscribe {
    // What changed before now is in the snapshot; the others still hear of it.
    this.publish();
    listener({ event: "snapshot", status: this.ports.status(), jobs: this.ports.openJobs() });
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  subscribeJob(id: string, after: number | null, present: JobView, listener: JobListener): Unsubscribe {
    const channel = this.#channel(id);
    const kept = channel.kept.filter((event) => event.id > (after ?? -1));
    const first = channel.kept[0];
    if (after !== null && first && first.id <= after + 1) {
      for (const event of kept) listener(event);
      const last = channel.kept.at(-1);
      if (isFinal(present.status) && last && last.id <= after) return () => {};
    } else {
      listener({ id: this.#nextId++, event: { event: "state", job: present } });
    }
    channel.listeners.add(listener);
    return () => channel.listeners.delete(listener);
  }

  /** Tells what changed since the last call. */
  publish(): void {
    const { jobs, nodes } = this.ports.takeChanges();
    const views: JobView[] = [];
    for (const id of jobs) {
      // Views are made only for those who look: a grid with thousands of small jobs and no page open does nothing here.
      if (!this.#channels.has(id) && (this.#listeners.size === 0 || views.length >= feedJobsMax)) continue;
      const view = this.ports.jobView(id);
      if (!view) continue;
      views.push(view);
      if (this.#channels.has(id)) this.#publishJob(view);
    }
    if (this.#listeners.size === 0) return;
    const status = this.ports.status();
    const { nodes: all, ...rest } = status;
    const present = new Set(all.map((node) => node.node_id));
    const gone = [...this.#known].filter((id) => !present.has(id));
    this.#known = present;
    const changed = [...nodes].flatMap((id) => this.ports.nodeView(id) ?? []);
    const event: FeedEvent = { event: "change", status: rest, nodes: changed, gone_nodes: gone, jobs: views };
    for (const listener of this.#listeners) listener(event);
  }

  /** A job ended: those who wait for just that are told at once, and pages with the next `publish`. */
  ended(view: JobView): void {
    if (this.#channels.has(view.task_id)) this.#publishJob(view);
  }

  #channel(id: string): JobChannel {
    let channel = this.#channels.get(id);
    if (!channel) {
      channel = { listeners: new Set(), kept: [], status: null, preview: "" };
      this.#channels.set(id, channel);
      this.#prune();
    }
    return channel;
  }

  #prune(): void {
    if (this.#channels.size <= channelsMax) return;
    for (const [id, channel] of this.#channels) {
      if (channel.listeners.size === 0) this.#channels.delete(id);
      if (this.#channels.size <= channelsMax) return;
    }
  }

  #publishJob(view: JobView): void {
    const channel = this.#channel(view.task_id);
    // The end is a job's last event.
    if (channel.status !== null && isFinal(channel.status)) return;
    const preview = JSON.stringify(view.preview ?? null);
    if (preview !== channel.preview && view.preview != null) {
      channel.preview = preview;
      const { task_id, preview: value, progress } = view;
      this.#emit(channel, { event: "partial", task_id, preview: value, fraction: progress.fraction });
    }
    const moved = channel.status !== view.status;
    channel.status = view.status;
    this.#emit(channel, { event: moved ? "state" : "progress", job: view });
  }

  #emit(channel: JobChannel, event: JobEvent): void {
    const numbered = { id: this.#nextId++, event };
    channel.kept.push(numbered);
    if (channel.kept.length > keptEventsMax) channel.kept.shift();
    for (const listener of [...channel.listeners]) listener(numbered);
  }
}
