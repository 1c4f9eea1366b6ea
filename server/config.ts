/** The only reader of `process.env` and of the command line: a flag beats a variable, a variable beats a default. */
import { networkInterfaces } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { CoreConfig } from "./core/state.ts";

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
  json: boolean;
  operatorToken: string | null;
  joinToken: string | null;
  /** OFF only in the test that shows what FULL is for. */
  synchronous: "FULL" | "OFF";
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
  demo: { type: "boolean", help: "Submit a first job and show its progress and result" },
  service: { type: "boolean", help: "Run as a service: no keyless access from this machine" },
  json: { type: "boolean", help: "Log as JSON lines" },
  help: { type: "boolean", short: "h", help: "Show this" },
} as const;

export function usage(): string {
  const lines = Object.entries(flags).map(([name, { help }]) => `  --${name.padEnd(14)} ${help}`);
  return `Usage: npm start -- [flags]\n\n${lines.join("\n")}\n\nQUEZTL_MODE=worker runs the native worker instead.`;
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
  return {
    host: values.host ?? env.QUEZTL_HOST ?? "0.0.0.0",
    port: port === undefined ? 8000 : integer(port, "--port / QUEZTL_PORT", 0, 65_535),
    portNamed: port !== undefined,
    dataDir: resolve(values.data ?? env.QUEZTL_DATA ?? "data"),
    publicUrl: publicUrl === undefined ? null : url(publicUrl),
    allowedHosts: [...(values["allow-host"] ?? []), ...list(env.QUEZTL_ALLOW_HOSTS), ...lanAddresses()],
    trustedProxies: [...(values["trust-proxy"] ?? []), ...list(env.QUEZTL_TRUST_PROXIES)],
    // systemd sets INVOCATION_ID for every unit it starts.
    service: values.service === true || env.INVOCATION_ID !== undefined,
    localWorker: values["no-worker"] !== true,
    workerThreads: values.threads === undefined ? null : integer(values.threads, "--threads", 1, 256),
    demo: values.demo === true,
    json: values.json === true,
    operatorToken: env.QUEZTL_OPERATOR_TOKEN ?? null,
    joinToken: env.QUEZTL_JOIN_TOKEN ?? null,
    synchronous: env.QUEZTL_TEST_SYNCHRONOUS === "OFF" ? "OFF" : "FULL",
    core: {
      signResults: env.QUEZTL_SIGN_RESULTS !== "0",
      ...(env.QUEZTL_TEST_TIMING === "fast" ? fastTiming : {}),
    },
  };
}

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: flags, strict: true, allowPositionals: false }).values;
}

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
