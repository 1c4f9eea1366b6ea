/**
 * The autoscaler's own shell in virtual time: a fake cloud with its faults, a record that may fail, and a grid that is
 * only as much of one as the autoscaler sees: work that is left, nodes that hold leases of it, and do it at their pace.
 */
import { createState } from "../../core/grid.ts";
import type { CoreState, Job, Lease, Node } from "../../core/state.ts";
import { createMac } from "../../shell/mac.ts";
import { FakeCloud, type FakeFaults, type FakeInstance } from "../cloud/fake.ts";
import type { CloudProvider, Offering } from "../cloud/provider.ts";
import { defaultTarget, giB, offeringOf, startMs } from "../fixtures.ts";
import type { PolicyName, Target } from "../model.ts";
import { Scaler } from "../scaler.ts";
import { defaultSettings, type Settings } from "../settings.ts";
import type { Arrivals } from "../shell/ports.ts";
import type { DocumentWrite, Records } from "../shell/records.ts";
import { cloudTiming, type Timing } from "../shell/upkeep.ts";
import { seeded, VirtualTime } from "./time.ts";

export interface WorldOptions {
  seed?: number;
  target?: Partial<Target>;
  policy?: PolicyName;
  offerings?: readonly Offering[];
  faults?: Partial<FakeFaults>;
  settings?: Partial<Settings>;
  timing?: Partial<Timing>;
  capacity?(offering: Offering, nowMs: number): number | undefined;
  outage?(nowMs: number): boolean;
  arrivals?: Arrivals;
  /** Probability that a write of the record fails. */
  recordFailure?: number;
  /** Whether nodes are on record that have not come back; they are without. */
  awaitsNodes?: boolean;
  /** Copies of a grain that volunteers compute for one that counts. */
  replication?: number;
}

const stepMs = 1_000;
/** Who has gone is known for a while. */
const forgottenMs = 600_000;

class MemoryRecords implements Records {
  readonly rooms = new Map<string, Map<string, string>>();
  writes = 0;

  constructor(
    private readonly time: VirtualTime,
    private readonly fails: () => boolean,
  ) {}

  async documents(room: string): Promise<{ key: string; value: string }[]> {
    return [...(this.rooms.get(room) ?? [])]
      .map(([key, value]) => ({ key, value }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async written(writes: readonly DocumentWrite[]): Promise<void> {
    const fails = this.fails();
    await new Promise<void>((resolve) => this.time.after(3, resolve));
    if (fails) throw new Error("The record is not written now.");
    this.writes += writes.length;
    for (const { room, key, value } of writes) {
      const documents = this.rooms.get(room) ?? new Map<string, string>();
      this.rooms.set(room, documents);
      if (value === null) documents.delete(key);
      else documents.set(key, value);
    }
  }
}

export class World {
  readonly time = new VirtualTime(startMs);
  readonly random: () => number;
  readonly cloud: FakeCloud;
  readonly records: MemoryRecords;
  readonly target: Target;
  readonly logged: string[] = [];
  /** What must never happen, and did. */
  readonly wrongs: string[] = [];
  /** Of each job that was done, from its arrival to its end. */
  readonly waitsMs: number[] = [];
  state: CoreState = createState();
  scaler!: Scaler;
  /** Core-seconds that volunteers did. */
  volunteered = 0;
  mostRunning = 0;
  dearest = 0;
  #life = 0;
  #jobs = 0;
  #arrivedMs = new Map<string, number>();

  readonly #replication: number;

  constructor(private readonly options: WorldOptions = {}) {
    this.#replication = options.replication ?? 1;
    this.random = seeded(options.seed ?? 1);
    this.target = { ...defaultTarget, ...options.target };
    this.records = new MemoryRecords(this.time, () => this.random() < (options.recordFailure ?? 0));
    const { capacity, outage } = options;
    this.cloud = new FakeCloud({
      clock: this.time,
      random: this.random,
      offerings: options.offerings ?? [offeringOf()],
      ...(options.faults ? { faults: options.faults } : {}),
      ...(capacity ? { capacity } : {}),
      ...(outage ? { outage } : {}),
      onBoot: (instance, boot) => this.#onBoot(instance, boot.joinToken),
      onEnd: (instance) => this.#lose(instance.id),
    });
    this.#step();
  }

  async start(): Promise<void> {
    const life = ++this.#life;
    const { options } = this;
    const mine =
      <T extends unknown[]>(run: (...args: T) => void) =>
      (...args: T): void => {
        if (this.#life === life) run(...args);
      };
    this.scaler = new Scaler({
      provider: this.#providerOf(life),
      // A process that was killed neither wakes up again nor writes.
      clock: { now: () => this.time.now(), after: (ms, run) => this.time.after(ms, mine(run)) },
      records: {
        documents: (room) => this.records.documents(room),
        written: (writes) => (this.#life === life ? this.records.written(writes) : new Promise(() => {})),
      },
      grid: {
        state: () => this.state,
        awaitsNodes: () => options.awaitsNodes ?? true,
        retire: (node, retiring) => {
          const known = this.state.nodes.get(node);
          if (known) known.retiring = retiring;
        },
        leaveToVolunteers: (id) => {
          const job = this.state.jobs.get(id);
          if (job) job.terms = { ...job.terms, supply: "volunteers" };
        },
      },
      mac: createMac("secret"),
      random: () =>
        Math.floor(this.random() * 2 ** 40)
          .toString(36)
          .padStart(8, "0"),
      cluster: "world",
      coordinatorUrl: () => "http://127.0.0.1:1",
      policy: options.policy ?? "reactive",
      target: this.target,
      settings: { ...defaultSettings, ...options.settings },
      timing: { ...cloudTiming, ...options.timing },
      dollarsPerCoreSecond: 1e-6,
      ...(options.arrivals ? { arrivals: options.arrivals } : {}),
      log: (code, message) => {
        if (this.logged.push(`${this.time.now() - startMs} ${code} ${message}`) > 500) this.logged.shift();
      },
    });
    for (;;) {
      try {
        await this.#within(this.scaler.start());
        return;
      } catch {
        await this.time.pass(1_000);
      }
    }
  }

  /** SIGKILL: nothing is finished, and the grid forgets who was connected. */
  kill(): void {
    this.#life++;
    this.state.nodes.clear();
  }

  /** Paid work arrives. */
  submit(coreSeconds: number, change: Partial<Job["terms"]> = {}): string {
    const id = `job-${++this.#jobs}`;
    this.state.jobs.set(id, jobOf(id, coreSeconds, change, this.time.now(), this.#replication));
    this.#arrivedMs.set(id, this.time.now());
    return id;
  }

  /** A volunteer comes. */
  join(id: string, cores: number): void {
    this.state.nodes.set(id, workerNode(id, cores, this.time.now(), false));
  }

  leave(id: string): void {
    this.state.nodes.delete(id);
  }

  get left(): number {
    let sum = 0;
    for (const job of this.state.jobs.values()) sum += (job.grains - job.confirmedGrains) * job.grainCoreSeconds;
    return sum;
  }

  pass(ms: number): Promise<void> {
    return this.time.pass(ms);
  }

  /** A start needs time to pass for its writes. */
  async #within(work: Promise<void>): Promise<void> {
    let done = false;
    let error: unknown = null;
    work.then(
      () => {
        done = true;
      },
      (cause: unknown) => {
        error = cause ?? new Error();
      },
    );
    while (!done && error === null) await this.time.pass(1);
    if (error !== null) throw error;
  }

  /** Calls of a killed process go on at the cloud; their answers reach nobody. */
  #providerOf(life: number): CloudProvider {
    const { cloud } = this;
    const heard = <T>(answer: Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        answer.then(
          (value) => this.#life === life && resolve(value),
          (error) => this.#life === life && reject(error),
        );
      });
    return {
      name: cloud.name,
      priced: true,
      offerings: () => heard(cloud.offerings()),
      launch: (order) => heard(cloud.launch(order)),
      list: (cluster) => heard(cloud.list(cluster)),
      terminate: (ids) => heard(cloud.terminate(ids)),
      close: async () => {},
    };
  }

  #onBoot(instance: FakeInstance, joinToken: string): void {
    // The worker tries until somebody answers, as long as its machine lives.
    const attempt = (): void => {
      if (instance.endedAtMs !== null) return;
      if (this.scaler.fence > 0 && !this.state.nodes.has(nodeOf(instance.id))) {
        if (this.scaler.admit(`${joinToken}:${instance.id}`, nodeOf(instance.id))) this.#join(instance);
        // A worker that is refused ends, and its machine with it.
        else if (this.time.now() - instance.launchedAtMs > 1_000) this.cloud.end(instance, "silence");
      }
      this.time.after(5_000, attempt);
    };
    attempt();
  }

  #join(instance: FakeInstance): void {
    const node = workerNode(nodeOf(instance.id), instance.offering.cores, this.time.now(), true);
    this.state.nodes.set(node.id, node);
  }

  #lose(instance: string): void {
    const node = this.state.nodes.get(nodeOf(instance));
    if (!node) return;
    node.connection = null;
    node.leases.clear();
    this.time.after(forgottenMs, () => this.state.nodes.get(node.id) === node && this.state.nodes.delete(node.id));
  }

  /** A second of the grid: work is done by whoever holds leases, and leases are given to whoever may have some. */
  #step(): void {
    const now = this.time.now();
    const open = [...this.state.jobs.values()];
    for (const node of this.state.nodes.values()) {
      if (node.connection === null) continue;
      node.lastSeenMs = now;
      if (node.hired) this.cloud.contact(node.id.slice(5));
      const job = open.find((each) => each.confirmedGrains < each.grains && each.terms.supply === "paid");
      if (job && !node.retiring) {
        const pace = node.capabilities.cpu.cores / (node.own ? 1 : this.#replication);
        const done = Math.min(pace, job.grains - job.confirmedGrains);
        job.confirmedGrains += done;
        if (!node.hired) this.volunteered += done;
        node.held.wasm = node.capabilities.cpu.cores;
        const lease = `lease-of-${node.id}`;
        node.leases.add(lease);
        this.state.leases.set(lease, { id: lease, job: job.id } as Lease);
      } else {
        node.leases.clear();
        node.held.wasm = 0;
      }
    }
    for (const job of open) {
      if (job.confirmedGrains < job.grains) continue;
      this.state.jobs.delete(job.id);
      this.waitsMs.push(now - (this.#arrivedMs.get(job.id) ?? now));
      this.#arrivedMs.delete(job.id);
    }
    this.#check();
    this.time.after(stepMs, () => this.#step());
  }

  #check(): void {
    const running = this.cloud.running();
    const rate = running.reduce((sum, { offering }) => sum + offering.price.dollarsPerHour, 0);
    this.mostRunning = Math.max(this.mostRunning, running.length);
    this.dearest = Math.max(this.dearest, rate);
    const at = (this.time.now() - startMs) / 1000;
    if (running.length > this.target.maxNodes) this.wrongs.push(`${at} s: ${running.length} instances run`);
    const limit = this.target.dollarsPerHourMax;
    if (limit !== null && rate > limit + 1e-9) this.wrongs.push(`${at} s: $${rate}/h of $${limit}/h`);
  }
}

const nodeOf = (instance: string): string => `node-${instance}`;

/** A grain a core-second. */
function jobOf(id: string, coreSeconds: number, terms: Partial<Job["terms"]>, nowMs: number, replication: number): Job {
  const seen: Partial<Job> = {
    id,
    submitter: "tests",
    phase: "running",
    terms: { supply: "paid", deadlineMs: null, budgetDollars: null, region: null, placement: "volunteers", ...terms },
    createdAtMs: nowMs,
    grains: Math.ceil(coreSeconds),
    grainCoreSeconds: 1,
    confirmedGrains: 0,
    candidateGrains: 0,
    provisionalGrains: 0,
    backends: ["wasm"],
    memoryBytes: giB,
    engines: [],
    workload: { family: { id: "toys" } } as unknown as Job["workload"],
    stats: { spentComputeMs: replication, acceptedComputeMs: 1 } as Job["stats"],
  };
  return seen as Job;
}

function workerNode(id: string, cores: number, nowMs: number, hired: boolean): Node {
  const seen: Partial<Node> = {
    id,
    own: hired,
    hired,
    retiring: false,
    connection: 1,
    draining: false,
    capabilities: { cpu: { model: null, cores }, engines: [] as readonly string[] } as Node["capabilities"],
    preferences: { slots: { wasm: cores, webgpu: 0, native: 0 }, families: ["toys"], name: null },
    leases: new Set(),
    held: { wasm: 0, webgpu: 0, native: 0 },
    pace: new Map(hired ? [] : [["wasm", 1]]),
    lastSeenMs: nowMs,
    connectedAtMs: nowMs,
    coreSeconds: 0,
  };
  return seen as Node;
}
