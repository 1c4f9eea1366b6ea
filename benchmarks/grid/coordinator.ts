/** The coordinator under test, in a process of its own: the product's parts as `server/main.ts` puts them together. */
import { createHash } from "node:crypto";
import type { Server } from "node:http";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { Access } from "../../server/access/access.ts";
import { Keyring } from "../../server/access/keyring.ts";
import { FilesystemBlobs } from "../../server/blobs/filesystem.ts";
import { entryOf } from "../../server/catalog.ts";
import { Coordinator } from "../../server/coordinator.ts";
import { SqliteStore } from "../../server/store/sqlite.ts";
import { createApp } from "../../server/transport/http/app.ts";
import { askSocketOwner } from "../../server/transport/http/facts.ts";
import { httpServer } from "../../server/transport/http/listen.ts";
import { createMetrics } from "../../server/transport/http/metrics.ts";
import { Sockets } from "../../server/transport/sockets.ts";
import { SseHub } from "../../server/transport/sse.ts";
import { answerCalls } from "./child.ts";
import echo from "./echo/workload.ts";
import { type CoordinatorSetup, joinToken, type Usage } from "./setup.ts";

let coordinator: Coordinator | null = null;
let http: Server | null = null;

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

async function start({ folder, sliceGrains, sign }: CoordinatorSetup): Promise<number> {
  const entry = await entryOf(
    echo as Parameters<typeof entryOf>[0],
    { kernel: sha256("echo kernels"), files: { "wasm-simd": { sha256: sha256("echo"), bytes: 4 } } },
    new URL("./echo/workload.ts", import.meta.url).href,
    new URL("./echo/host.ts", import.meta.url).href,
  );
  coordinator = await Coordinator.start({
    store: new SqliteStore({ file: join(folder, "queztl.db") }),
    blobs: new FilesystemBlobs(join(folder, "blobs")),
    catalog: new Map([[echo.type, entry]]),
    id: "benchmark",
    hostname: "localhost",
    version: "benchmark",
    joinToken,
    ticketSecret: "benchmark".repeat(4),
    config: { signResults: sign, sliceGrainsMax: sliceGrains },
    log: (code, message) => console.error(`coordinator: ${code}: ${message}`),
  });
  return serve(coordinator, folder);
}

async function serve(grid: Coordinator, folder: string): Promise<number> {
  const access = new Access(
    {
      operatorToken: "benchmark-operator-token-of-no-use",
      publicUrl: null,
      allowedHosts: [],
      trustedProxies: [],
      tls: false,
      service: false,
      now: Date.now,
      print: (line) => console.error(line),
      askOwner: askSocketOwner(),
      ownUid: process.getuid?.() ?? null,
    },
    new Keyring(grid.keys, Date.now),
  );
  const sse = new SseHub();
  const sockets = new Sockets({
    addressOf: (request) => request.socket.remoteAddress ?? "",
    connect: (socket) => grid.connect(socket),
    refuse: () => null,
  });
  const server = httpServer(
    createApp({
      grid,
      access,
      built: {
        pagesDir: join(folder, "no-pages"),
        workerFile: join(folder, "no-worker.mjs"),
        cliFile: join(folder, "no-cli.mjs"),
        sdkFile: join(folder, "no-sdk.mjs"),
      },
      metrics: createMetrics({ grid, sse, sockets: () => sockets.open }),
      sse,
      version: "benchmark",
      publicUrl: null,
      tls: false,
      report: (error, request) => console.error(`defect in ${request}:`, error),
    }),
  );
  sockets.attach(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", 4_096, resolve));
  http = server;
  return (server.address() as { port: number }).port;
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const { active, idle } = performance.eventLoopUtilization();
  const commits = coordinator?.commits ?? { batches: 0, writes: 0, totalMs: 0 };
  return {
    cpuUs: user + system,
    activeMs: active,
    idleMs: idle,
    batches: commits.batches,
    writes: commits.writes,
    commitMs: commits.totalMs,
  };
}

/** Resident memory in bytes after garbage was collected. */
function memory(): number {
  const { gc } = globalThis as { gc?: () => void };
  for (let times = 0; times < 3; times++) gc?.();
  return process.memoryUsage().rss;
}

answerCalls({
  start,
  usage,
  memory,
  openJobs: () => coordinator?.status().scheduler.pending_tasks,
  completedJobs: () => coordinator?.status().scheduler.completed_tasks,
  stop: async () => {
    await coordinator?.stop();
    http?.close();
    http?.closeAllConnections();
  },
});
