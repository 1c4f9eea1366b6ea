/** The only reader of `process.env` and of the command line: a flag beats a variable, a variable beats a default. */
import { networkInterfaces } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { newIdentitiesDefault } from "./access/newcomers.ts";
import type { CoreConfig } from "./core/limits.ts";
import type { Desk } from "./first-minutes/browser.ts";
import { type CreditOptions, creditDefaults } from "./ledger/credit.ts";
import { readScaleConfig, type ScaleConfig, scaleFlags, scaleVariables } from "./scale-config.ts";
import type { UploadLimits } from "./uploads/uploads.ts";
import { hostPattern } from "./webhooks/allowed.ts";

export interface Config {
  host: string;
  port: number;
  /** The port was named: it is that one or none. */
  portNamed: boolean;
  dataDir: string;
  publicUrl: URL | null;
  allowedHosts: string[];
  trustedProxies: string[];
  service: boolean;
  /** Start one native worker on this machine. */
  localWorker: boolean;
  workerThreads: number | null;
  demo: boolean;
  /** Open the page at the first start, where somebody sees it. */
  open: boolean;
  desk: Desk;
  /** The labelled job for tabs that meet an idle grid; "terminal": when the coordinator runs on one. */
  demoJob: "on" | "off" | "terminal";
  /** Serve with a certificate that this host makes and keeps. */
  https: boolean;
  /** Serve with these files, PEM. */
  tlsFiles: { cert: string; key: string } | null;
  json: boolean;
  /** Null: no instances are launched. */
  scale: ScaleConfig | null;
  /** What processes on this machine are started with. */
  env: Readonly<Record<string, string | undefined>>;
  /** New identities that may come from one network in an hour. */
  newIdentitiesPerHour: number;
  /** Finished jobs are sealed after so long. */
  sealMs: number;
  operatorToken: string | null;
  joinToken: string | null;
  /** OFF only in the test that shows what FULL is for. */
  synchronous: "FULL" | "OFF";
  credit: CreditOptions;
  uploads: UploadLimits;
  webhookHosts: string[];
  /** What differs from the core's defaults. */
  core: Partial<CoreConfig>;
}

/** For tests that kill processes (QUEZTL_TEST_TIMING=fast): short slices and short waits, so that many are met. */
const fastTiming: Partial<CoreConfig> = {
  firstSliceMs: 300,
  sliceMs: 1_000,
  leaseMsMin: 3_000,
  silentMs: 5_000,
  reconnectMs: 1_000,
  recoveryMs: 1_000,
  retryMs: 200,
  heartbeatMs: 500,
  flushMs: 500,
};

export class ConfigError extends Error {
  override name = "ConfigError";
}

const flags = {
  port: { type: "string", help: "Port to listen on (QUEZTL_PORT; default 8000, or the next free one)" },
  host: { type: "string", help: "Address to listen on (QUEZTL_HOST; default 0.0.0.0: this machine and its LAN)" },
  data: { type: "string", help: "Folder for the database, blobs and secrets (QUEZTL_DATA; default ./data)" },
  "public-url": { type: "string", help: "Where strangers reach this coordinator (QUEZTL_PUBLIC_URL)" },
  "allow-host": {
    type: "string",
    multiple: true,
    help: "A further host name to answer to (QUEZTL_ALLOW_HOSTS, comma separated)",
  },
  "trust-proxy": {
    type: "string",
    multiple: true,
    help: "Address of a proxy whose X-Forwarded-For is believed (QUEZTL_TRUST_PROXIES)",
  },
  "no-worker": { type: "boolean", help: "Do not start a native worker on this machine" },
  threads: { type: "string", help: "Threads of that worker (default: all cores but one)" },
  https: { type: "boolean", help: "Serve https with a certificate made for this host's addresses (QUEZTL_HTTPS=1)" },
  "tls-cert": { type: "string", help: "Serve https with this certificate, PEM with its chain (QUEZTL_TLS_CERT)" },
  "tls-key": { type: "string", help: "Private key of that certificate, PEM (QUEZTL_TLS_KEY)" },
  demo: { type: "boolean", help: "Submit a first job and show its progress and result" },
  "demo-job": {
    type: "boolean",
    help: "While a tab is there and nothing else to do, offer it a demo job (QUEZTL_DEMO_JOB=1; on a terminal: by itself)",
  },
  "no-demo": { type: "boolean", help: "Offer no demo job" },
  "no-open": { type: "boolean", help: "Do not open the browser at the first start" },
  service: { type: "boolean", help: "Run as a service: no keyless access from this machine" },
  "seal-days": { type: "string", help: "Days until a finished job's results are final (QUEZTL_SEAL_DAYS; default 7)" },
  "one-network": {
    type: "boolean",
    help: "Let identities of one network compute the same grains, as in a laboratory (QUEZTL_ONE_NETWORK=1)",
  },
  "credit-delay": {
    type: "string",
    help: "Minutes until work counts as its volunteer's credit (QUEZTL_CREDIT_DELAY; default 60)",
  },
  "upload-max": { type: "string", help: "Megabytes that an uploaded file may have (QUEZTL_UPLOAD_MAX; default 1024)" },
  "keep-files-days": {
    type: "string",
    help: "Days that uploads and files made of them are kept after their last use (QUEZTL_KEEP_FILES_DAYS; default 30)",
  },
  "webhook-host": {
    type: "string",
    multiple: true,
    help: "A host, or host:port, that webhooks may go to (QUEZTL_WEBHOOK_HOSTS, comma separated; default none)",
  },
  "new-identities": {
    type: "string",
    help: `New volunteers taken from one network in an hour (QUEZTL_NEW_IDENTITIES; default ${newIdentitiesDefault})`,
  },
  ...scaleFlags,
  json: { type: "boolean", help: "Log as JSON lines" },
  help: { type: "boolean", short: "h", help: "Show this" },
} as const;

export function usage(): string {
  const lines = Object.entries(flags).map(([name, { help }]) => `  --${name.padEnd(22)} ${help}`);
  return `Usage: npm start -- [flags]\n\n${lines.join("\n")}\n\n${scaleVariables}\n\nQUEZTL_MODE=worker runs the native worker instead.`;
}

/** Throws ConfigError that names the flag or variable and the remedy. */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Config | "help" {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(argv);
  } catch (error) {
    throw new ConfigError(`${error instanceof Error ? error.message : String(error)}\n\n${usage()}`);
  }
  if (values.help) return "help";
  const port = values.port ?? env.QUEZTL_PORT;
  const publicUrl = values["public-url"] ?? env.QUEZTL_PUBLIC_URL;
  // systemd sets INVOCATION_ID for every unit it starts.
  const service = values.service === true || env.INVOCATION_ID !== undefined;
  return {
    host: values.host ?? env.QUEZTL_HOST ?? "0.0.0.0",
    port: port === undefined ? 8000 : integer(port, "--port / QUEZTL_PORT", 0, 65_535),
    portNamed: port !== undefined,
    dataDir: resolve(values.data ?? env.QUEZTL_DATA ?? "data"),
    publicUrl: publicUrl === undefined ? null : url(publicUrl),
    allowedHosts: [...(values["allow-host"] ?? []), ...list(env.QUEZTL_ALLOW_HOSTS), ...lanAddresses()],
    trustedProxies: [...(values["trust-proxy"] ?? []), ...list(env.QUEZTL_TRUST_PROXIES)],
    service,
    localWorker: values["no-worker"] !== true,
    workerThreads: values.threads === undefined ? null : integer(values.threads, "--threads", 1, 256),
    demo: values.demo === true,
    open: values["no-open"] !== true && !service,
    desk: {
      platform: process.platform,
      ci: ![undefined, "", "false"].includes(env.CI),
      ssh: env.SSH_CONNECTION !== undefined,
      display: Boolean(env.DISPLAY || env.WAYLAND_DISPLAY),
      wsl: env.WSL_DISTRO_NAME !== undefined,
    },
    demoJob: demoJob(values, env, service || publicUrl !== undefined),
    ...tls(values, env),
    json: values.json === true,
    scale: readScaleConfig(values, env, (message) => {
      throw new ConfigError(message);
    }),
    env,
    sealMs:
      86_400_000 *
      integer(values["seal-days"] ?? env.QUEZTL_SEAL_DAYS ?? "7", "--seal-days / QUEZTL_SEAL_DAYS", 0, 3_650),
    uploads: {
      bytesMax:
        2 ** 20 *
        integer(values["upload-max"] ?? env.QUEZTL_UPLOAD_MAX ?? "1024", "--upload-max / QUEZTL_UPLOAD_MAX", 1, 65_536),
      keepMs:
        86_400_000 *
        integer(
          values["keep-files-days"] ?? env.QUEZTL_KEEP_FILES_DAYS ?? "30",
          "--keep-files-days / QUEZTL_KEEP_FILES_DAYS",
          1,
          3_650,
        ),
    },
    credit: creditOptions(
      integer(
        values["credit-delay"] ?? env.QUEZTL_CREDIT_DELAY ?? "60",
        "--credit-delay / QUEZTL_CREDIT_DELAY",
        0,
        10_080,
      ),
    ),
    webhookHosts: [...(values["webhook-host"] ?? []), ...list(env.QUEZTL_WEBHOOK_HOSTS)].map(webhookHost),
    newIdentitiesPerHour: newIdentities(values["new-identities"] ?? env.QUEZTL_NEW_IDENTITIES),
    operatorToken: env.QUEZTL_OPERATOR_TOKEN ?? null,
    joinToken: env.QUEZTL_JOIN_TOKEN ?? null,
    synchronous: env.QUEZTL_TEST_SYNCHRONOUS === "OFF" ? "OFF" : "FULL",
    core: {
      signResults: env.QUEZTL_SIGN_RESULTS !== "0",
      distinctNetworks: values["one-network"] !== true && env.QUEZTL_ONE_NETWORK !== "1",
      ...(env.QUEZTL_TEST_TIMING === "fast" ? fastTiming : {}),
    },
  };
}

function webhookHost(text: string): string {
  const pattern = hostPattern(text);
  if (pattern !== null) return pattern;
  throw new ConfigError(`--webhook-host / QUEZTL_WEBHOOK_HOSTS: "${text}" is no host. Give it like example.org:8443.`);
}

/** Paydays are as far apart as is needed to blur when work was done: a sixth of the delay. */
function creditOptions(minutes: number): CreditOptions {
  const delayMs = 60_000 * minutes;
  return { delayMs, periodMs: Math.min(creditDefaults.periodMs, Math.max(1_000, delayMs / 6)) };
}

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: flags, strict: true, allowPositionals: false }).values;
}

type Values = ReturnType<typeof parse>;

/** A grid that strangers use has better to do, unless its operator says so. */
function demoJob(values: Values, env: NodeJS.ProcessEnv, serious: boolean): Config["demoJob"] {
  if (values["no-demo"] && values["demo-job"]) {
    throw new ConfigError("--demo-job and --no-demo exclude each other: leave one out.");
  }
  if (values["no-demo"]) return "off";
  if (values["demo-job"] || env.QUEZTL_DEMO_JOB === "1") return "on";
  return serious || env.QUEZTL_DEMO_JOB === "0" ? "off" : "terminal";
}

function tls(values: Values, env: NodeJS.ProcessEnv): Pick<Config, "https" | "tlsFiles"> {
  const https = values.https === true || env.QUEZTL_HTTPS === "1";
  const cert = values["tls-cert"] ?? env.QUEZTL_TLS_CERT;
  const key = values["tls-key"] ?? env.QUEZTL_TLS_KEY;
  if (cert === undefined && key === undefined) return { https, tlsFiles: null };
  if (cert === undefined || key === undefined) {
    const [there, missing] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
    throw new ConfigError(
      `--tls-${there} / QUEZTL_TLS_${there.toUpperCase()} needs --tls-${missing} / QUEZTL_TLS_${missing.toUpperCase()} beside it.`,
    );
  }
  if (https) {
    throw new ConfigError("--https makes a certificate, and --tls-cert names one: leave one of them out.");
  }
  return { https: false, tlsFiles: { cert: resolve(cert), key: resolve(key) } };
}

const newIdentities = (text: string | undefined): number =>
  text === undefined ? newIdentitiesDefault : integer(text, "--new-identities / QUEZTL_NEW_IDENTITIES", 1, 1e6);

function integer(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new ConfigError(`${name} must be a whole number from ${least} to ${most}; it is "${text}".`);
  }
  return value;
}

function url(text: string): URL {
  try {
    const parsed = new URL(text);
    if (parsed.protocol === "http:" || parsed.protocol === "https:") return parsed;
  } catch {
    // Said below.
  }
  throw new ConfigError(`--public-url / QUEZTL_PUBLIC_URL must be like https://grid.example.org; it is "${text}".`);
}

const list = (text: string | undefined): string[] =>
  (text ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);

/** This machine's own addresses: the names under which its LAN may reach it. */
export function lanAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => !address.internal && !address.address.startsWith("fe80"))
    .map((address) => address.address);
}
