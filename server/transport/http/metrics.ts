/** Prometheus metrics: what `Grid.status()` tells, read at each scrape, and what the shell measures itself. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Grid } from "../grid.ts";
import type { GridScaler } from "../scaler.ts";
import type { SseHub } from "../sse.ts";

export interface MetricsSources {
  grid: Grid;
  sse: SseHub;
  /** Open WebSockets of nodes. */
  sockets: () => number;
  /** Absent where no instances are launched. */
  scaler?: GridScaler | null;
}

export interface Metrics {
  contentType: string;
  /** The text of a scrape. */
  scrape(): Promise<string>;
  /** One group commit: from handing it to the store until it was durable. */
  observeCommit(seconds: number, writes: number): void;
  /** Forgets all metrics. */
  close(): void;
}

export function createMetrics({ grid, sse, sockets, scaler }: MetricsSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "queztl_" });
  const readGrid = gridGauges(registry, grid);
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  gauge("queztl_sockets", "Open WebSockets of nodes", sockets);
  gauge("queztl_event_streams", "Open server-sent event streams", () => sse.open);
  gauge("queztl_event_streams_dropped", "Event streams cut off because the client read too slowly", () => sse.dropped);
  gauge("queztl_healthy", "1 when ok, 0 when degraded", () => (grid.health().status === "ok" ? 1 : 0));
  if (scaler) {
    const told = (): ReturnType<GridScaler["status"]> => scaler.status();
    gauge("queztl_instances", "Instances that run, come or go", () => told().managed_instances);
    gauge("queztl_instances_desired", "Instances that were wanted last", () => told().desired ?? 0);
    gauge("queztl_instance_dollars_per_hour", "Sum of the prices of all instances", () => told().dollars_per_hour);
    gauge("queztl_instance_dollars_today", "Spent on instances since midnight (UTC)", () => told().spend.today.dollars);
    gauge("queztl_scaler_alerts", "What the operator must hear of", () => told().alerts.length);
  }
  const commits = new Histogram({
    name: "queztl_commit_seconds",
    help: "Time of a group commit until it is durable",
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers: [registry],
  });
  const writes = new Counter({
    name: "queztl_commit_writes_total",
    help: "Writes made durable",
    registers: [registry],
  });
  return {
    contentType: registry.contentType,
    scrape() {
      readGrid();
      return registry.metrics();
    },
    observeCommit(seconds, count) {
      commits.observe(seconds);
      writes.inc(count);
    },
    close: () => registry.clear(),
  };
}

/** Sets all gauges made from the grid's status: one status a scrape. */
function gridGauges(registry: Registry, grid: Grid): () => void {
  const make = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const jobs = make("queztl_jobs", "Jobs by state", ["state"]);
  const nodes = make("queztl_nodes", "Nodes by kind, ownership and connection", ["kind", "own", "online"]);
  const leased = make("queztl_slices_leased", "Slices leased now");
  const slices = make("queztl_slices_accepted", "Slices accepted since the record began");
  const grains = make("queztl_grains_accepted", "Grains accepted since the record began");
  const speed = make("queztl_core_seconds_per_second", "Accepted core-seconds per second, over the last 10 s");
  const cores = make("queztl_cpu_cores", "Cores of the nodes online");
  const uptime = make("queztl_uptime_seconds", "Seconds since the coordinator began to serve");
  return () => {
    const { coordinator, registry: known, scheduler, nodes: list } = grid.status();
    uptime.set(coordinator.uptime);
    jobs.set({ state: "queued" }, scheduler.pending_tasks);
    jobs.set({ state: "running" }, scheduler.active_tasks);
    jobs.set({ state: "completed" }, scheduler.completed_tasks);
    jobs.set({ state: "failed" }, scheduler.failed_tasks);
    jobs.set({ state: "cancelled" }, scheduler.cancelled_tasks);
    nodes.reset();
    for (const { kind, own, online } of list) nodes.inc({ kind, own: String(own), online: String(online) });
    leased.set(scheduler.leased_slices);
    slices.set(scheduler.accepted_slices);
    grains.set(scheduler.accepted_grains);
    speed.set(scheduler.core_seconds_per_second);
    cores.set(known.total_cpu_cores);
  };
}
