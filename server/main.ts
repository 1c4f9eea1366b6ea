/** Starts the coordinator: the only constructor of adapters. */
import type { Server } from "node:http";
import { createRequire } from "node:module";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Access } from "./access/access.ts";
import { Keyring } from "./access/keyring.ts";
import { banner, placesOf } from "./banner.ts";
import { FilesystemBlobs } from "./blobs/filesystem.ts";
import { loadCatalog } from "./catalog.ts";
import { type Config, ConfigError, readConfig, usage } from "./config.ts";
import { Coordinator } from "./coordinator.ts";
import { CustomAdmission } from "./custom/admission.ts";
import { lockDataDir } from "./data-lock.ts";
import { DemoJob } from "./demo-job.ts";
import { runDemo } from "./first-job.ts";
import { lanAddressesBestFirst } from "./first-minutes/addresses.ts";
import { openBrowser } from "./first-minutes/browser.ts";
import { ImageAdmission } from "./images/admission.ts";
import { storeKernels } from "./kernel-files.ts";
import { loadCoordinatorKey } from "./ledger/key.ts";
import { listen } from "./listen.ts";
import { LocalWorker } from "./local-worker.ts";
import { createLog } from "./log.ts";
import { openScaling, type Scaling } from "./scaling.ts";
import { loadSecrets, type Secrets } from "./secrets.ts";
import { SqliteStore } from "./store/sqlite.ts";
import { namesOf } from "./tls/certificate.ts";
import { TlsKeeper } from "./tls/keeper.ts";
import { hostNames, ownNames } from "./tls/names.ts";
import { createApp } from "./transport/http/app.ts";
import { askSocketOwner, IncomingFacts } from "./transport/http/facts.ts";
import { httpServer } from "./transport/http/listen.ts";
import { createMetrics, type Metrics } from "./transport/http/metrics.ts";
import { Sockets } from "./transport/sockets.ts";
import { SseHub } from "./transport/sse.ts";
import { demoSubmitter } from "./views.ts";

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
  const tls = await openTls(config, log);
  const grid = await assemble(config, { ...secrets, operatorToken, joinToken }, tls, log);
  const { coordinator, access } = grid;
  const port = await listen(grid.http, config.host, config.port, config.portNamed, (line) => console.log(line));
  tls?.attach(grid.http);
  // People read the banner; whoever reads JSON gets the address that way.
  if (config.json) log("listening", `${tls ? "https" : "http"}://${config.host}:${port}`);
  const ownUrl = await grid.ownWorkerUrl(port);
  await grid.scaling?.start(instancesUrl(config, ownUrl, port, tls !== null));
  const worker = config.localWorker
    ? new LocalWorker({
        file: join(root, "dist", "worker.mjs"),
        coordinatorUrl: ownUrl,
        joinToken,
        dataDir: join(config.dataDir, "worker"),
        threads: config.workerThreads,
        log,
      })
    : null;
  const terminal = process.stdout.isTTY === true && !config.json;
  const demoJob = startDemoJob(config, coordinator, terminal && secrets.fresh, terminal, log);
  stopOnSignals(async () => {
    demoJob?.stop();
    tls?.close();
    await Promise.all([worker?.stop(), grid.scaling?.stop()]);
    const kept = await coordinator.stop();
    grid.close();
    const jobs = kept.openJobs === 1 ? "1 open job goes" : `${kept.openJobs} open jobs go`;
    const open = kept.openJobs === 0 ? "No job was open" : `${jobs} on at the next start`;
    console.log(`Stopped. ${open}; everything acknowledged is kept in ${config.dataDir}.`);
  });
  worker?.start();
  const facts = {
    ...config,
    port,
    operatorToken,
    version,
    tls: tls?.current ?? null,
    keyless: access.health(),
    lan: lanAddressesBestFirst().map(({ address }) => address),
    columns: terminal ? process.stdout.columns || 80 : null,
    demoJob: demoJob !== null,
  };
  const opened = terminal && config.open && secrets.fresh && openBrowser(placesOf(facts).here, config.desk);
  console.log(banner({ ...facts, opened }));
  if (config.demo) await runDemo(coordinator);
}

type Log = (code: string, message: string) => void;

/** Processes of this machine come by the inner way; others by the address that strangers use, or this machine's own. */
function instancesUrl({ scale, publicUrl, host }: Config, ownUrl: string, port: number, tls: boolean): string {
  if (scale?.coordinatorUrl) return scale.coordinatorUrl;
  if (scale?.provider === "local") return ownUrl;
  if (publicUrl) return publicUrl.href.replace(/\/$/, "");
  const named = host === "0.0.0.0" || host === "::" ? lanAddressesBestFirst()[0]?.address : host;
  return `${tls ? "https" : "http"}://${named ?? "127.0.0.1"}:${port}`;
}

async function openTls(config: Config, log: Log): Promise<TlsKeeper | null> {
  const { tlsFiles, dataDir } = config;
  if (tlsFiles) {
    const source = { kind: "given" as const, certFile: tlsFiles.cert, keyFile: tlsFiles.key };
    return TlsKeeper.open({ source, now: Date.now, log });
  }
  if (!config.https) return null;
  const names = (): string[] => ownNames(config, hostNames(), lanAddressesBestFirst());
  return TlsKeeper.open({ source: { kind: "own", dataDir, names }, now: Date.now, log });
}

/** How long after a first start a tab is expected. */
const firstTabMs = 5 * 60_000;

function startDemoJob(config: Config, grid: Coordinator, first: boolean, terminal: boolean, log: Log): DemoJob | null {
  if (config.demoJob === "off" || (config.demoJob === "terminal" && !terminal)) return null;
  const expectedUntilMs = first ? Date.now() + firstTabMs : 0;
  const job = new DemoJob({ grid, now: Date.now, log, expectedUntilMs });
  job.start();
  return job;
}

interface Assembled {
  coordinator: Coordinator;
  /** Not listening yet. */
  http: Server;
  access: Access;
  /** Null where no instances are launched. */
  scaling: Scaling | null;
  /** Where the worker of this machine connects, given the server's port. */
  ownWorkerUrl(port: number): Promise<string>;
  close(): void;
}

/** Builds the coordinator with its adapters, and the HTTP server around it (not yet listening). */
async function assemble(
  config: Config,
  secrets: Omit<Secrets, "fresh">,
  tls: TlsKeeper | null,
  log: Log,
): Promise<Assembled> {
  const blobs = new FilesystemBlobs(join(config.dataDir, "blobs"));
  const files = new FilesystemBlobs(join(config.dataDir, "files"));
  const kernelsDir = join(root, "dist", "kernels");
  const workshopFile = join(root, "dist", "workshop.mjs");
  const catalog = await loadCatalog(kernelsDir);
  await storeKernels(catalog, kernelsDir, blobs);
  const store = new SqliteStore({ file: join(config.dataDir, "queztl.db"), synchronous: config.synchronous });
  let metrics: Metrics | null = null;
  let scaling: Scaling | null = null;
  const coordinator = await Coordinator.start({
    store,
    blobs,
    files,
    catalog,
    id: secrets.id,
    hostname: hostname(),
    version,
    joinToken: secrets.joinToken,
    hire: (token, node) => scaling?.scaler.admit(token, node) ?? false,
    ticketSecret: secrets.ticketSecret,
    newIdentitiesPerHour: config.newIdentitiesPerHour,
    receiptKey: await loadCoordinatorKey(config.dataDir),
    config: { ...config.core, volunteersSubmitter: demoSubmitter },
    sealMs: config.sealMs,
    credit: config.credit,
    uploads: { ...config.uploads, folder: join(config.dataDir, "uploads") },
    admissions: (uploads) => {
      const own = { files, owns: (blob: string, by: string) => uploads.owns(blob, by) };
      return new Map([
        ["custom", new CustomAdmission({ ...own, putBlob: (bytes) => blobs.put(bytes), workshopFile }).admit],
        ["image_processing", new ImageAdmission(own).admit],
      ]);
    },
    log,
    onCommit: (ms, writes) => metrics?.observeCommit(ms / 1000, writes),
  });
  if (config.scale) {
    const { scale, env, dataDir } = config;
    const workerFile = join(root, "dist", "worker.mjs");
    const { id, ticketSecret: secret } = secrets;
    scaling = await openScaling({ config: scale, coordinator, env, dataDir, workerFile, id, secret, log });
  }
  const access = createAccess(config, secrets.operatorToken, tls, coordinator);
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
    addressOf: (request) => access.clientAddress(new IncomingFacts(request)),
  });
  metrics = createMetrics({ grid: coordinator, sse, sockets: () => sockets.open, scaler: scaling?.api ?? null });
  const app = createApp({
    grid: coordinator,
    access,
    built: {
      pagesDir: resolve(root, "dist", "client"),
      workerFile: join(root, "dist", "worker.mjs"),
      cliFile: join(root, "dist", "queztl.mjs"),
      sdkFile: join(root, "dist", "queztl-sdk.mjs"),
    },
    metrics,
    scaler: scaling?.api ?? null,
    sse,
    version,
    publicUrl: config.publicUrl,
    webhookHosts: config.webhookHosts,
    tls: tls !== null,
    report: (error, request) => log("defect", `${request}: ${error instanceof Error ? error.stack : String(error)}`),
  });
  const http = httpServer(app, tls ? { tls: { cert: tls.current.cert, key: tls.current.key } } : {});
  // The worker of this machine is spared the certificate, whose names and dates are for others.
  const inner = tls ? httpServer(app) : null;
  const servers = inner ? [http, inner] : [http];
  for (const server of servers) sockets.attach(server);
  return {
    coordinator,
    http,
    access,
    scaling,
    ownWorkerUrl: async (port) => {
      const innerPort = inner ? await listen(inner, "127.0.0.1", 0, true, () => {}) : port;
      return `http://127.0.0.1:${innerPort}`;
    },
    close: () => {
      sse.close();
      sockets.close();
      metrics?.close();
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

function createAccess(config: Config, operatorToken: string, tls: TlsKeeper | null, coordinator: Coordinator): Access {
  return new Access(
    {
      operatorToken,
      publicUrl: config.publicUrl,
      allowedHosts: [...config.allowedHosts, ...hostNames(), ...(tls ? namesOf(tls.current.certificate) : [])],
      trustedProxies: config.trustedProxies,
      tls: tls !== null,
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
