/** Live updates: events of single jobs, and the pages' one feed. What changed is gathered, and told at most every 500 ms. */
import type { FeedEvent, JobEvent, JobState, JobView, NetworkStatus, NodeView } from "../../protocol/rest.ts";
import { isFinal, type NumberedFeedEvent, type NumberedJobEvent, type Unsubscribe } from "../transport/grid.ts";

export interface FeedPorts {
  jobView(id: string): JobView | null;
  nodeView(id: string): NodeView | null;
  status(): NetworkStatus;
  openJobs(): JobView[];
  takeChanges(): { jobs: Set<string>; nodes: Set<string> };
}

type JobListener = (event: NumberedJobEvent) => void;
type FeedListener = (event: NumberedFeedEvent) => void;

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
/** Views of nodes and jobs in the changes of the pages' feed that are kept for those who resume. */
const keptViewsMax = 20_000;
/** Changes are gathered so long after the last page went: a browser whose connection dropped is back by then. */
const graceMs = 30_000;
/** Jobs whose recent events are kept although nobody listens. */
const channelsMax = 1_000;

export class Feed {
  readonly #channels = new Map<string, JobChannel>();
  readonly #listeners = new Set<FeedListener>();
  /** Recent changes of the pages' feed, without a gap, oldest first. */
  readonly #recent: NumberedFeedEvent[] = [];
  /** Number of the last change that is not kept any more: whoever saw that one, or a later one, can resume. */
  #before = -1;
  #leftMs = Number.NEGATIVE_INFINITY;
  #nextId: number;
  #known = new Set<string>();

  /** `firstId` must be above every id of earlier runs, so that `Last-Event-ID` never points ahead. */
  constructor(
    private readonly ports: FeedPorts,
    firstId: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.#nextId = firstId;
  }

  subscribeFeed(after: number | null, listener: FeedListener): Unsubscribe {
    // What changed before now is in the snapshot; the others still hear of it.
    this.publish();
    const missed = after === null ? null : this.#missed(after);
    if (missed) for (const event of missed) listener(event);
    else {
      // A snapshot has the number of the change that it follows: whoever has it resumes after that.
      if (this.#before < 0) this.#before = this.#nextId++;
      const id = this.#recent.at(-1)?.id ?? this.#before;
      listener({ id, event: { event: "snapshot", status: this.ports.status(), jobs: this.ports.openJobs() } });
    }
    this.#listeners.add(listener);
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#leftMs = this.nowMs();
    };
  }

  /** The changes after `after`; null where some of them are not kept any more, or none has that number. */
  #missed(after: number): NumberedFeedEvent[] | null {
    const at = after === this.#before ? 0 : this.#recent.findIndex((event) => event.id === after) + 1;
    return after === this.#before || at > 0 ? this.#recent.slice(at) : null;
  }

  /** `present` is null where only the record knows the job: its end is told when it is recorded. */
  subscribeJob(id: string, after: number | null, present: JobView | null, listener: JobListener): Unsubscribe {
    const channel = this.#channel(id);
    const kept = channel.kept.filter((event) => event.id > (after ?? -1));
    const first = channel.kept[0];
    if (after !== null && first && first.id <= after + 1) {
      for (const event of kept) listener(event);
      const last = channel.kept.at(-1);
      if (present && isFinal(present.status) && last && last.id <= after) return () => {};
    } else if (present) {
      listener({ id: this.#nextId++, event: { event: "state", job: present } });
    }
    channel.listeners.add(listener);
    return () => channel.listeners.delete(listener);
  }

  /** Tells what changed since the last call. */
  publish(): void {
    const { jobs, nodes } = this.ports.takeChanges();
    const watched = this.#watched();
    const views: JobView[] = [];
    for (const id of jobs) {
      // Views are made only for those who look: a grid with thousands of small jobs and no page open does nothing here.
      if (!this.#channels.has(id) && (!watched || views.length >= feedJobsMax)) continue;
      const view = this.ports.jobView(id);
      if (!view) continue;
      views.push(view);
      if (this.#channels.has(id)) this.#publishJob(view);
    }
    if (!watched) return;
    const status = this.ports.status();
    const { nodes: all, ...rest } = status;
    const present = new Set(all.map((node) => node.node_id));
    const gone = [...this.#known].filter((id) => !present.has(id));
    this.#known = present;
    const changed = [...nodes].flatMap((id) => this.ports.nodeView(id) ?? []);
    const event: FeedEvent = { event: "change", status: rest, nodes: changed, gone_nodes: gone, jobs: views };
    const numbered = { id: this.#nextId++, event };
    this.#keep(numbered);
    for (const listener of this.#listeners) listener(numbered);
  }

  /** Whether anybody looks, or did until a moment ago; what was kept is let go when not. */
  #watched(): boolean {
    if (this.#listeners.size > 0 || this.nowMs() - this.#leftMs < graceMs) return true;
    this.#recent.length = 0;
    this.#before = -1;
    return false;
  }

  #keep(event: NumberedFeedEvent): void {
    this.#recent.push(event);
    let views = 0;
    for (const { event: kept } of this.#recent)
      if (kept.event === "change") views += kept.nodes.length + kept.jobs.length;
    while (this.#recent.length > keptEventsMax || (views > keptViewsMax && this.#recent.length > 0)) {
      const { id, event: oldest } = this.#recent.shift() as NumberedFeedEvent;
      if (oldest.event === "change") views -= oldest.nodes.length + oldest.jobs.length;
      this.#before = id;
    }
  }

  /** A job ended: those who wait for just that are told at once, and pages with the next `publish`. */
  ended(view: JobView): void {
    if (this.#channels.has(view.task_id)) this.#publishJob(view);
  }

  /** What was told as the end was none: the job goes on. */
  retracted(view: JobView): void {
    const channel = this.#channels.get(view.task_id);
    if (!channel) return;
    channel.status = view.status;
    this.#emit(channel, { event: "retracted", job: view });
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
