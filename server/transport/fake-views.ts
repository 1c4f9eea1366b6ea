/** Views as a real grid would give them, for the fake one. */
import * as z from "zod";
import type { CostView, JobView, NetworkStatus, NodeView, WorkloadType } from "../../protocol/rest.ts";
import type { SubmitRequest } from "./grid.ts";

const noCost = (): CostView => ({
  computed: 0,
  accepted: 0,
  audit: 0,
  replica: 0,
  speculation: 0,
  waste: 0,
  overhead: null,
});

export const fakeTypes: WorkloadType[] = [
  {
    type: "monte_carlo",
    title: "Monte Carlo",
    summary: "Estimates by random sampling.",
    family: { id: "simulation", title: "Simulation", summary: "Science by sampling.", opt_in: false },
    consents: [],
    payload_schema: z.toJSONSchema(z.object({ iterations: z.number().int().min(1).default(1000) })),
    examples: [{ title: "Pi, it's simple", payload: { iterations: 1000, note: "it's" } }],
    verification: {
      methods: ["exact"],
      audit: { default: 0.1, min: 0.05, max: 1 },
      redundancy: { default: 1, min: 1, max: 3 },
    },
    kernel: "0".repeat(64),
    files: { "wasm-simd": { sha256: "0".repeat(64), bytes: 1 } },
    backends: ["wasm", "webgpu"],
  },
];

export function fakeJob(id: string, request: SubmitRequest): JobView {
  return {
    task_id: id,
    workload_type: request.workload,
    status: "queued",
    priority: request.priority,
    submitter: request.submitter,
    payload: request.payload,
    round: 0,
    revision: 0,
    progress: {
      fraction: 0,
      tasks: 1000,
      grains: 10,
      grains_accepted: 0,
      grains_provisional: 0,
      grains_candidate: 0,
      grains_leased: 0,
      slices_accepted: 0,
      slices_by_backend: {},
      slices_by_node_kind: {},
    },
    timings: {
      submitted_at: "2026-01-01T00:00:00.000Z",
      started_at: null,
      finished_at: null,
      elapsed_seconds: 0,
      compute_seconds: 0,
    },
    verification: {
      accepted_results: 0,
      rejected_results: 0,
      audited_results: 0,
      own_results: 0,
      certified_results: 0,
      provisional_results: 0,
      retracted_results: 0,
      standing: null,
      audit: 0.1,
      redundancy: 1,
      error_bound: null,
      cost: noCost(),
      overhead: null,
    },
    reasons: [{ code: "no_nodes", message: "No node is connected." }],
    preview: null,
    kernel: "0".repeat(64),
  };
}

export function fakeNode(id: string, changes: Partial<NodeView> = {}): NodeView {
  return {
    node_id: id,
    name: null,
    kind: "native",
    own: true,
    online: true,
    available: true,
    software: "1.2.0",
    platform: "linux",
    cpu_cores: 4,
    cpu_model: null,
    ram_gb: 8,
    gpu: null,
    accelerators: [],
    engines: [],
    backends: [{ backend: "wasm", slots: 4, busy: 0, core_seconds_per_second: null }],
    leases: [],
    accepted_slices: 0,
    rejected_slices: 0,
    region: null,
    trust: "own",
    audits_passed: 0,
    core_seconds: 0,
    connected_at: "2026-01-01T00:00:00.000Z",
    last_seen: "2026-01-01T00:00:00.000Z",
    idle_reasons: [{ code: "no_work", message: "No job is open." }],
    ...changes,
  };
}

export function fakeStatus(nodes: NodeView[], jobs: JobView[]): NetworkStatus {
  const online = nodes.filter((node) => node.online);
  const count = (status: JobView["status"]): number => jobs.filter((job) => job.status === status).length;
  const ended = count("completed") + count("failed");
  return {
    coordinator: { node_id: "c1", hostname: "host", uptime: 1.5, version: "1.2.0" },
    registry: {
      total_nodes: nodes.length,
      online_nodes: online.length,
      available_nodes: online.filter((node) => node.available).length,
      total_cpu_cores: online.reduce((sum, node) => sum + node.cpu_cores, 0),
      total_ram_gb: online.reduce((sum, node) => sum + (node.ram_gb ?? 0), 0),
      total_gpu_vram_gb: 0,
      unknown_ram_nodes: online.filter((node) => node.ram_gb === null).length,
      unknown_vram_nodes: online.length,
    },
    scheduler: {
      pending_tasks: count("queued"),
      active_tasks: count("running"),
      completed_tasks: count("completed"),
      failed_tasks: count("failed"),
      cancelled_tasks: count("cancelled"),
      success_rate: ended === 0 ? null : count("completed") / ended,
      leased_slices: 0,
      accepted_slices: 0,
      accepted_grains: 0,
      core_seconds_per_second: 0,
    },
    trust: { cost: noCost(), banned_nodes: 0, quarantined: [] },
    nodes,
  };
}
