/** The real coordinator under attack, with an honest node at work, and what is measured of it from outside. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { JobView, NodeView, VerificationRequest } from "../../protocol/rest.ts";
import { slowPi } from "../chaos/oracle.ts";
import { CoordinatorProgram, until } from "../chaos/processes.ts";
import { readRecord } from "../chaos/record.ts";
import { AttackNode, type AttackNodeOptions } from "./client.ts";

/** What an attack may cost the coordinator in memory that stays resident, and how long an attacker is put up with. */
export const rssGrowthBytesMax = 64 << 20;
export const closedMsMax = 10_000;

const dartsOfAJob = 16_000;
/** Cut so that a job of these has 16 grains, as long as it is short. */
const dartsOfABatch = 1_000;

export class AttackedGrid {
  readonly #folder = mkdtempSync(join(tmpdir(), "queztl-attacks-"));
  readonly coordinator: CoordinatorProgram;
  readonly #nodes: AttackNode[] = [];
  #seed = 1;

  constructor(args: readonly string[] = [], env: Record<string, string> = {}) {
    this.coordinator = new CoordinatorProgram(join(this.#folder, "data"), {
      args: ["--no-worker", "--no-demo", ...args],
      env,
    });
  }

  get url(): string {
    return this.coordinator.url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Starts the coordinator and lets it work until its memory has settled. */
  async start(): Promise<void> {
    await this.coordinator.start();
  }

  async end(): Promise<void> {
    for (const node of this.#nodes) node.leave();
    const { surprises } = this.coordinator;
    await this.coordinator.kill();
    rmSync(this.#folder, { recursive: true, force: true });
    expect(surprises).toEqual([]);
  }

  /** A node that is not connected yet. */
  node(options: AttackNodeOptions = {}): AttackNode {
    const node = new AttackNode(this.url, options);
    this.#nodes.push(node);
    return node;
  }

  /** An own node that computes what it is given, at once. */
  ownNode(options: AttackNodeOptions = {}): Promise<AttackNode> {
    return this.node({ honest: true, joinToken: this.coordinator.secrets.joinToken, ...options }).join();
  }

  /** One request with the operator's token, so that it counts wherever keyless access is off. */
  async ask(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${this.coordinator.secrets.operatorToken}`, ...init.headers };
    return fetch(this.url + path, { ...init, headers, signal: AbortSignal.timeout(10_000) });
  }

  /** Submits a job that no other test has; returns its id and what it must come to. */
  async submit(
    iterations = dartsOfAJob,
    verification?: VerificationRequest,
    more: Record<string, unknown> = {},
  ): Promise<SubmittedJob> {
    const payload = { iterations, seed: this.#seed++, samples: Math.max(dartsOfABatch, iterations / 2 ** 30) };
    const body = { workload_type: "monte_carlo", payload, ...(verification ? { verification } : {}), ...more };
    const answer = await this.ask("/api/v1.2/workload/submit", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.status !== 202) throw new Error(`submit answered ${answer.status}: ${await answer.text()}`);
    const { task_id: id } = (await answer.json()) as { task_id: string };
    return { id, expected: () => slowPi(body).output };
  }

  async job(id: string): Promise<JobView> {
    const answer = await this.ask(`/api/v1.2/workload/${id}`);
    if (!answer.ok) throw new Error(`the job answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as JobView;
  }

  async nodeView(id: string): Promise<NodeView | undefined> {
    const answer = await this.ask("/api/v1.2/nodes");
    return ((await answer.json()) as { nodes: NodeView[] }).nodes.find(({ node_id }) => node_id === id);
  }

  cancel(id: string): Promise<Response> {
    return this.ask(`/api/v1.2/workload/${id}`, { method: "DELETE" });
  }

  /** Waits for the job's end and holds its output against what was computed here. */
  async expectRight({ id, expected }: SubmittedJob, ms = 20_000): Promise<JobView> {
    let last: JobView | null = null;
    await until(
      async () => {
        last = await this.job(id);
        return last.status === "completed";
      },
      ms,
      () => `job ${id}: ${JSON.stringify(last)}`,
    );
    const answer = await this.ask(`/api/v1.2/workload/${id}/result`);
    expect(((await answer.json()) as { result: unknown }).result).toMatchObject(expected());
    return last as unknown as JobView;
  }

  /** Milliseconds of a job of an honest client and an honest node, from submission to the right result. */
  async jobMs(): Promise<number> {
    const startedMs = performance.now();
    await this.expectRight(await this.submit());
    return performance.now() - startedMs;
  }

  /** The same, of who waits for the answer instead of asking again and again. */
  async answerMs(): Promise<number> {
    const startedMs = performance.now();
    const { id, expected } = await this.submit();
    const answer = await this.ask(`/api/v1.2/workload/${id}/result?wait=9`);
    expect(((await answer.json()) as { result: unknown }).result).toMatchObject(expected());
    return performance.now() - startedMs;
  }

  /**
   * How many results that count, or wait to be judged, the database has for each grain of the job. Kills the
   * coordinator: what it had not made durable is not there.
   */
  async commitsPerGrain(id: string): Promise<number[]> {
    await this.coordinator.kill();
    return readRecord(this.coordinator.dataDir, (record) => {
      const job = record.jobs().find((candidate) => candidate.id === id);
      if (!job) throw new Error(`job ${id} is not in the record`);
      const commits = new Array<number>(job.grains).fill(0);
      for (const { lo, hi, standing } of record.results(job.seq)) {
        if (standing === "rejected") continue;
        for (let grain = lo; grain < hi; grain++) commits[grain] = (commits[grain] as number) + 1;
      }
      return commits;
    });
  }

  get rssBytes(): number {
    const status = readFileSync(`/proc/${this.coordinator.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  /** Runs an attack and returns the most resident memory seen above what was there before. */
  async growthOf(attack: () => Promise<void>): Promise<number> {
    const before = this.rssBytes;
    let most = before;
    const timer = setInterval(() => {
      most = Math.max(most, this.rssBytes);
    }, 20);
    try {
      await attack();
    } finally {
      clearInterval(timer);
    }
    return Math.max(most, this.rssBytes) - before;
  }

  /** A plain TCP connection, from an address of 127.0.0.0/8. */
  tcp(localAddress = "127.0.0.1"): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ port: this.port, host: "127.0.0.1", localAddress, allowHalfOpen: true });
      socket.once("connect", () => {
        socket.off("error", reject);
        socket.on("error", () => {});
        resolve(socket);
      });
      socket.once("error", reject);
    });
  }
}

export interface SubmittedJob {
  id: string;
  expected(): Record<string, unknown>;
}

/** Milliseconds from now until the socket is closed by the other side; null when it is not within `ms`. */
export function msUntilClosed(socket: Socket, ms: number): Promise<number | null> {
  const startedMs = performance.now();
  if (socket.destroyed) return Promise.resolve(0);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), ms);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(performance.now() - startedMs);
    });
  });
}
