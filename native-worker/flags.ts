/** Flags and variables of the native worker: a flag beats a variable, a variable beats a default. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { isRegionId, type RegionId, regionIds } from "../protocol/regions.ts";

export class WorkerFlagError extends Error {
  override name = "WorkerFlagError";
}

export interface WorkerFlags {
  coordinatorUrl: string;
  joinToken: string | null;
  threads?: number;
  gpu: boolean;
  withGpu: boolean;
  yes: boolean;
  families?: string[];
  name: string | null;
  /** Left out: by the machine's clock. */
  region?: RegionId | null;
  dataDir: string;
  enginesDir: string | null;
  port: number | null;
  json: boolean;
  withParent: boolean;
  /** Seconds after which the worker ends, and without a coordinator; null: never. */
  endAfter: number | null;
  endIfSilent: number | null;
  allowSoftwareGpu: boolean;
}

const flags = {
  coordinator: {
    type: "string",
    help: "Address of the coordinator (QUEZTL_COORDINATOR_URL; default http://localhost:8000)",
  },
  "join-token": {
    type: "string",
    help: "The operator's join token: makes this an own node (better: QUEZTL_JOIN_TOKEN)",
  },
  threads: { type: "string", help: "WASM threads (default: all cores)" },
  "no-gpu": { type: "boolean", help: "Leave the GPU alone" },
  "with-gpu": {
    type: "boolean",
    help: "Install the pinned webgpu package (about 130 MB) after asking, and use the GPU",
  },
  yes: { type: "boolean", help: "Do not ask" },
  families: { type: "string", help: "Families of workloads, comma separated (default: all that are on by default)" },
  name: { type: "string", help: "A name for the dashboard" },
  region: {
    type: "string",
    help: `Where this machine is: ${regionIds.join(", ")}, or none (QUEZTL_REGION; default: by its clock)`,
  },
  data: { type: "string", help: "Folder for the identity and unacknowledged results (default ./.queztl-worker)" },
  "engines-dir": { type: "string", help: "Folder for engines (default: engines in the data folder)" },
  port: { type: "string", help: "Serve this worker's own GET /health on this port (QUEZTL_PORT)" },
  json: { type: "boolean", help: "Log as JSON lines" },
  "with-parent": { type: "boolean", help: "Stop when standard input ends, as the coordinator's own worker does" },
  "end-after": { type: "string", help: "End after so many seconds: the lifetime of a rented machine" },
  "end-if-silent": { type: "string", help: "End after so many seconds without the coordinator" },
  /** For tests: a software adapter counts as a GPU. */
  "allow-software-gpu": { type: "boolean", help: "" },
  help: { type: "boolean", short: "h", help: "Show this" },
} as const;

const valueNames: Record<string, string> = {
  coordinator: "URL",
  "join-token": "TOKEN",
  threads: "N",
  families: "A,B",
  name: "NAME",
  region: "REGION",
  data: "DIR",
  "engines-dir": "DIR",
  port: "N",
  "end-after": "S",
  "end-if-silent": "S",
};

export function usage(): string {
  const lines = Object.entries(flags)
    .filter(([, { help }]) => help !== "")
    .map(
      ([name, { help, type }]) =>
        `  --${`${name}${type === "string" ? ` ${valueNames[name] ?? ""}` : ""}`.padEnd(24)} ${help}`,
    );
  return `Usage: node worker.mjs [coordinator] [flags]\n\n${lines.join("\n")}`;
}

/** Throws WorkerFlagError that names the flag and the remedy. */
export function flagsOf(argv: readonly string[], env: NodeJS.ProcessEnv): WorkerFlags | "help" {
  const { values, positionals } = parse(argv);
  if (values.help) return "help";
  const coordinator = values.coordinator ?? positionals[0] ?? env.QUEZTL_COORDINATOR_URL ?? "http://localhost:8000";
  if (positionals.length > 1) {
    throw new WorkerFlagError(
      `"${positionals[1]}" is one word too many: the only one without a flag is the coordinator.`,
    );
  }
  const withParent = values["with-parent"] === true;
  // The coordinator's own worker has its environment, and QUEZTL_PORT there is the coordinator's.
  const port = values.port ?? (withParent ? undefined : env.QUEZTL_PORT);
  return {
    coordinatorUrl: address(coordinator),
    joinToken: values["join-token"] ?? env.QUEZTL_JOIN_TOKEN ?? null,
    ...(values.threads === undefined ? {} : { threads: integer(values.threads, "--threads", 0, 256) }),
    gpu: values["no-gpu"] !== true,
    withGpu: values["with-gpu"] === true,
    yes: values.yes === true,
    ...(values.families === undefined
      ? {}
      : {
          families: values.families
            .split(",")
            .map((part) => part.trim())
            .filter(Boolean),
        }),
    name: values.name?.slice(0, 60) ?? null,
    ...regionGiven(values.region ?? env.QUEZTL_REGION),
    dataDir: resolve(values.data ?? join(process.cwd(), ".queztl-worker")),
    enginesDir: values["engines-dir"] === undefined ? null : resolve(values["engines-dir"]),
    port: port === undefined ? null : integer(port, "--port / QUEZTL_PORT", 0, 65_535),
    json: values.json === true,
    withParent,
    endAfter: seconds(values["end-after"], "--end-after"),
    endIfSilent: seconds(values["end-if-silent"], "--end-if-silent"),
    allowSoftwareGpu: values["allow-software-gpu"] === true,
  };
}

function regionGiven(text: string | undefined): Pick<WorkerFlags, "region"> {
  if (text === undefined || text === "") return {};
  if (text === "none") return { region: null };
  if (isRegionId(text)) return { region: text };
  throw new WorkerFlagError(`--region / QUEZTL_REGION must be ${regionIds.join(", ")} or none; it is "${text}".`);
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: flags, strict: true, allowPositionals: true });
  } catch (error) {
    throw new WorkerFlagError(`${error instanceof Error ? error.message : String(error)}\n\n${usage()}`);
  }
}

function address(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new WorkerFlagError(`--coordinator must be like http://host:8000; it is "${text}".`);
  }
  return url.href;
}

const seconds = (text: string | undefined, name: string): number | null =>
  text === undefined ? null : integer(text, name, 1, 10_000_000);

function integer(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new WorkerFlagError(`${name} must be a whole number from ${least} to ${most}; it is "${text}".`);
  }
  return value;
}
