/** The real coordinator with its HTTP server, in this process: it computes sums, can be stopped, and comes back. */
import { randomBytes } from "node:crypto";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Access } from "../../server/access/access.ts";
import { Keyring } from "../../server/access/keyring.ts";
import { MemoryBlobs } from "../../server/blobs/memory.ts";
import { entryOf } from "../../server/catalog.ts";
import { Coordinator } from "../../server/coordinator.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { FakeNode } from "../../server/testing/fake-node.ts";
import workload from "../../server/testing/workload.ts";
import { createApp } from "../../server/transport/http/app.ts";
import { askSocketOwner } from "../../server/transport/http/facts.ts";
import { httpServer } from "../../server/transport/http/listen.ts";
import { createMetrics } from "../../server/transport/http/metrics.ts";
import { SseHub } from "../../server/transport/sse.ts";

const joinToken = "a join token for tests";
const testing = new URL("../../server/testing/", import.meta.url);

export class RealCoordinator {
  readonly operatorToken = randomBytes(24).toString("base64url");
  readonly defects: unknown[] = [];
  readonly #store = new MemoryStore();
  readonly #blobs = new MemoryBlobs();
  #running: { coordinator: Coordinator; server: Server; close: () => void } | null = null;
  #port = 0;

  /** `programs`: the folder of the bundled programs that it serves. */
  constructor(private readonly programs = "/nonexistent") {}

  static async start(programs?: string): Promise<RealCoordinator> {
    const grid = new RealCoordinator(programs);
    await grid.start();
    return grid;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** On the port and the record that it had before. */
  async start(): Promise<void> {
    const entry = await entryOf(
      workload as never,
      { kernel: "a".repeat(64), files: { "wasm-simd": { sha256: "b".repeat(64), bytes: 1 } } },
      new URL("workload.ts", testing).href,
      new URL("host.ts", testing).href,
    );
    const coordinator = await Coordinator.start({
      store: this.#store,
      blobs: this.#blobs,
      catalog: new Map([["sum", entry]]),
      id: "test-coordinator",
      hostname: "test",
      version: "0.0.0",
      joinToken,
      ticketSecret: "a ticket secret for tests",
      config: { recoveryMs: 200, reconnectMs: 200 },
      log: () => {},
    });
    const access = new Access(
      {
        operatorToken: this.operatorToken,
        publicUrl: null,
        allowedHosts: [],
        trustedProxies: [],
        tls: false,
        service: false,
        now: Date.now,
        print: () => {},
        askOwner: askSocketOwner(),
        ownUid: process.getuid?.() ?? null,
      },
      new Keyring(coordinator.keys, Date.now),
    );
    const sse = new SseHub();
    const metrics = createMetrics({ grid: coordinator, sse, sockets: () => 0 });
    const app = createApp({
      grid: coordinator,
      access,
      built: {
        pagesDir: join(this.programs, "no-pages"),
        workerFile: join(this.programs, "worker.mjs"),
        cliFile: join(this.programs, "queztl.mjs"),
        sdkFile: join(this.programs, "queztl-sdk.mjs"),
      },
      metrics,
      sse,
      version: "0.0.0",
      publicUrl: null,
      tls: false,
      report: (error) => this.defects.push(error),
    });
    const server = httpServer(app);
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    const close = (): void => {
      sse.close();
      metrics.close();
    };
    this.#running = { coordinator, server, close };
  }

  /** An own node. It computes at once what it is given, unless `idle`. */
  node(options: { idle?: boolean } = {}): FakeNode {
    if (this.#running === null) throw new Error("the coordinator is stopped");
    return new FakeNode({ joinToken, ...options }).join(this.#running.coordinator);
  }

  /** A new key. */
  async key(...scopes: string[]): Promise<string> {
    const response = await fetch(`${this.url}/api/v1.2/keys`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${this.operatorToken}` },
      body: JSON.stringify({ label: "test", scopes }),
    });
    return ((await response.json()) as { key: string }).key;
  }

  async stop(): Promise<void> {
    if (this.#running === null) return;
    const { coordinator, server, close } = this.#running;
    this.#running = null;
    close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await coordinator.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    if (this.defects.length > 0) throw this.defects[0];
  }
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + 12_000; !(await holds()); ) {
    if (performance.now() > endMs) throw new Error(`it did not come true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
