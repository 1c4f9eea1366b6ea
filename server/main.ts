/** Starts the coordinator: the only constructor of adapters. */
import type { Server } from "node:http";
import { createRequire } from "node:module";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Access } from "./access/access.ts";
import { Keyring } from "./access/keyring.ts";
import { announce, runDemo } from "./banner.ts";
import { FilesystemBlobs } from "./blobs/filesystem.ts";
import { loadCatalog } from "./catalog.ts";
import { type Config, ConfigError, lanAddresses, readConfig, usage } from "./config.ts";
import { Coordinator } from "./coordinator.ts";
import { lockDataDir } from "./data-lock.ts";
import { storeKernels } from "./kernel-files.ts";
import { listen } from "./listen.ts";
import { LocalWorker } from "./local-worker.ts";
import { createLog } from "./log.ts";
import { loadSecrets, type Secrets } from "./secrets.ts";
import { SqliteStore } from "./store/sqlite.ts";
import { createApp } from "./transport/http/app.ts";
import { askSocketOwner, IncomingFacts } from "./transport/http/facts.ts";
import { httpServer } from "./transport/http/listen.ts";
import { createMetrics, type Metrics } from "./transport/http/metrics.ts";
import { Sockets } from "./transport/sockets.ts";
import { SseHub } from "./transport/sse.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const { version } = createRequire(import.meta.url)("../package.json") as { version: string };

async function main(): Promise<void> {
  const config = readConfig(process.argv.slice(2));
  if (config === "help") {
    console.log(usage());
    return;
  }
  const log = createLog(config.json);
  lockDataDir(config.dataDir);
  const secrets = await loadSecrets(config.dataDir);
  const operatorToken = config.operatorToken ?? secrets.operatorToken;
  const joinToken = config.joinToken ?? secrets.joinToken;
  const { coordinator, http, access, close } = await assemble(config, { ...secrets, operatorToken, joinToken }, log);
  const port = await listen(http, config.host, config.port, config.portNamed, (line) => console.log(line));
  // People read the banner; whoever reads JSON gets the address that way.
  if (config.json) log("listening", `http://${config.host}:${port}`);
  const worker = config.localWorker
    ? new LocalWorker({
        file: join(root, "dist", "worker.mjs"),
        coordinatorUrl: `http://127.0.0.1:${port}`,
        joinToken,
        dataDir: join(config.dataDir, "worker"),
        threads: config.workerThreads,
        log,
      })
    : null;
  stopOnSignals(async () => {
    await worker?.stop();
    const kept = await coordinator.stop();
    close();
    const jobs = kept.openJobs === 1 ? "1 open job goes" : `${kept.openJobs} open jobs go`;
    const open = kept.openJobs === 0 ? "No job was open" : `${jobs} on at the next start`;
    console.log(`Stopped. ${open}; everything acknowledged is kept in ${config.dataDir}.`);
  });
  worker?.start();
  announce({ config, port, operatorToken, joinToken, version, keyless: access.health(), lan: lanAddresses() });
  if (config.demo) await runDemo(coordinator);
}

/** Builds the coordinator with its adapters, and the HTTP server around it (not yet listening). */
async function assemble(
  config: Config,
  secrets: Secrets,
  log: (code: string, message: string) => void,
): Promise<{ coordinator: Coordinator; http: Server; access: Access; close(): void }> {
  const blobs = new FilesystemBlobs(join(config.dataDir, "blobs"));
  const kernelsDir = join(root, "dist", "kernels");
  const catalog = await loadCatalog(kernelsDir);
  await storeKernels(catalog, kernelsDir, blobs);
  const store = new SqliteStore({ file: join(config.dataDir, "queztl.db"), synchronous: config.synchronous });
  let metrics: Metrics | null = null;
  const coordinator = await Coordinator.start({
    store,
    blobs,
    catalog,
    id: secrets.id,
    hostname: hostname(),
    version,
    joinToken: secrets.joinToken,
    ticketSecret: secrets.ticketSecret,
    config: config.core,
    log,
    onCommit: (ms, writes) => metrics?.observeCommit(ms / 1000, writes),
  });
  const access = createAccess(config, secrets.operatorToken, coordinator);
  const sse = new SseHub();
  const sockets = new Sockets({
    connect: (socket) => coordinator.connect(socket),
    refuse: (request) => {
      try {
        const facts = new IncomingFacts(request);
        access.admit(facts);
        const { origin } = request.headers;
        if (origin === undefined || access.hosts.isOwnOrigin(facts, origin)) return null;
        return { status: 403, reason: `Pages of ${origin} may not connect here.` };
      } catch (error) {
        return { status: 421, reason: error instanceof Error ? error.message : String(error) };
      }
    },
    socketsMax: 20_000,
  });
  metrics = createMetrics({ grid: coordinator, sse, sockets: () => sockets.open });
  const app = createApp({
    grid: coordinator,
    access,
    built: { pagesDir: resolve(root, "dist", "client"), workerFile: join(root, "dist", "worker.mjs") },
    metrics,
    sse,
    version,
    publicUrl: config.publicUrl,
    tls: false,
    report: (error, request) => log("defect", `${request}: ${error instanceof Error ? error.stack : String(error)}`),
  });
  const http = httpServer(app);
  sockets.attach(http);
  return {
    coordinator,
    http,
    access,
    close: () => {
      sse.close();
      sockets.close();
      metrics?.close();
      http.close();
      http.closeAllConnections();
    },
  };
}

function createAccess(config: Config, operatorToken: string, coordinator: Coordinator): Access {
  return new Access(
    {
      operatorToken,
      publicUrl: config.publicUrl,
      allowedHosts: [...config.allowedHosts, hostname()],
      trustedProxies: config.trustedProxies,
      tls: false,
      service: config.service,
      now: Date.now,
      print: (line) => console.log(line),
      askOwner: askSocketOwner(),
      ownUid: process.getuid?.() ?? null,
    },
    new Keyring(coordinator.keys, Date.now),
  );
}

/** The first signal stops in order; a second one at once. */
function stopOnSignals(stop: () => Promise<void>): void {
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(130);
      stopping = true;
      console.log("\nStopping; once more to stop at once.");
      stop().then(
        () => process.exit(0),
        (error) => {
          console.error(error);
          process.exit(1);
        },
      );
    });
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof ConfigError || error instanceof Error ? error.message : String(error));
  if (process.env.QUEZTL_DEBUG) console.error(error);
  process.exit(1);
});
