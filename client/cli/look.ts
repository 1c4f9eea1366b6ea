/** Commands that look, and the one that cancels. */
import type { JobState, JobView, NetworkStatus, WorkloadType } from "../sdk/index.ts";
import { type Command, type Context, printJson } from "./context.ts";
import { exits, UsageError } from "./exits.ts";
import { integerFlag, nearest } from "./flags.ts";
import { duration, facts, jobFacts, jobTable, nodeTable, number, plain, table } from "./print.ts";
import { fieldsOf, wanted } from "./schema.ts";

export const status: Command = {
  name: "status",
  usage: "[JOB]",
  summary: "A job's state, or the grid's",
  words: ["JOB"],
  required: 0,
  flags: {},
  async run(context) {
    const { signal } = context.io;
    const [id] = context.words;
    if (id === undefined) await show(context, await context.grid.status({ signal }), gridFacts);
    else await show(context, await context.grid.job(id).status({ signal }), jobFacts);
    return exits.ok;
  },
};

export const cancel: Command = {
  name: "cancel",
  usage: "JOB",
  summary: "Cancel a job; one that has ended stays as it is",
  words: ["JOB"],
  required: 1,
  flags: {},
  async run(context) {
    const job = await context.grid.job(context.words[0]!).cancel({ signal: context.io.signal });
    await show(context, job, ({ task_id, status: state }) => `${task_id} is ${state}`);
    return exits.ok;
  },
};

const states: readonly JobState[] = ["queued", "running", "completed", "failed", "cancelled"];

export const jobs: Command = {
  name: "jobs",
  usage: "",
  summary: "List jobs, newest first",
  words: [],
  required: 0,
  flags: {
    state: { value: "STATE", help: `Only those that are ${states.join(", ")}` },
    type: { value: "TYPE", help: "Only those of this workload type" },
    limit: { value: "N", help: "At most so many; 20 without" },
  },
  async run(context) {
    const { flags, grid, io } = context;
    const state = flags.get("state") as JobState | undefined;
    if (state !== undefined && !states.includes(state)) {
      throw new UsageError("--state", `No job is ever "${state}".`, `Give one of ${states.join(", ")}.`);
    }
    const limit = integerFlag(flags, "limit", 1, 10_000) ?? 20;
    const found: JobView[] = [];
    const workloadType = flags.get("type");
    for await (const job of grid.jobs({ state, workloadType, signal: io.signal })) {
      found.push(job);
      if (found.length === limit) break;
    }
    await show(context, { jobs: found }, ({ jobs: list }) => (list.length === 0 ? "No jobs." : jobTable(list)));
    return exits.ok;
  },
};

export const nodes: Command = {
  name: "nodes",
  usage: "",
  summary: "List nodes, and why they are idle",
  words: [],
  required: 0,
  flags: {},
  async run(context) {
    const found = await context.grid.nodes({ signal: context.io.signal });
    const none = "No node has joined yet: open the coordinator's page and press Donate.";
    await show(context, { nodes: found }, ({ nodes: list }) => (list.length === 0 ? none : nodeTable(list)));
    return exits.ok;
  },
};

export const types: Command = {
  name: "types",
  usage: "[TYPE]",
  summary: "What can be submitted; with a type: its payload's fields and examples",
  words: ["TYPE"],
  required: 0,
  flags: {},
  async run(context) {
    const known = await context.grid.workloadTypes({ signal: context.io.signal });
    const [name] = context.words;
    if (name === undefined) {
      await show(context, known, ({ workload_types, planned }) => typeTable(workload_types, planned));
      return exits.ok;
    }
    const type = known.workload_types.find((candidate) => candidate.type === name);
    if (type === undefined) {
      const names = known.workload_types.map((candidate) => candidate.type);
      const near = nearest(name, names);
      const remedy = near === null ? `There are ${names.join(", ")}.` : `Did you mean ${near}?`;
      throw new UsageError("TYPE", `There is no workload type "${name}".`, remedy);
    }
    await show(context, type, typeText);
    return exits.ok;
  },
};

/** JSON for programs, `text` for people. */
const show = <T>(context: Context, value: T, text: (value: T) => string): Promise<void> =>
  context.json ? printJson(context, value) : context.io.out(`${text(value)}\n`);

function gridFacts({ coordinator, registry, scheduler }: NetworkStatus): string {
  const { success_rate } = scheduler;
  return facts([
    ["coordinator", `${coordinator.hostname}, version ${coordinator.version}, up ${duration(coordinator.uptime)}`],
    [
      "nodes",
      `${registry.online_nodes} online of ${registry.total_nodes}, ${registry.available_nodes} with a free slot`,
    ],
    ["cores", String(registry.total_cpu_cores)],
    ["speed", `${number(scheduler.core_seconds_per_second)} core-seconds of accepted work a second`],
    [
      "jobs",
      `${scheduler.pending_tasks} waiting, ${scheduler.active_tasks} active, ${scheduler.completed_tasks} completed`,
    ],
    ["", `${scheduler.failed_tasks} failed, ${scheduler.cancelled_tasks} cancelled`],
    ...(success_rate === null ? [] : [["completed", `${number(success_rate * 100)}% of those that ended`] as const]),
  ]);
}

const typeTable = (known: readonly WorkloadType[], planned: readonly string[]): string =>
  [
    table(
      ["TYPE", "BACKENDS", "WHAT IT DOES"],
      known.map(({ type, backends, summary }) => [type, backends.join(", "), summary]),
    ),
    ...(planned.length > 0 ? ["", `Without a kernel yet: ${planned.join(", ")}`] : []),
  ].join("\n");

function typeText({ type, title, summary, payload_schema, examples }: WorkloadType): string {
  const fields = fieldsOf(payload_schema).map((field) => [
    `--${field.name}`,
    field.required ? "required" : "",
    [`${wanted(field)}.`, field.help].join(" ").trim(),
  ]);
  const shown = examples.flatMap((example) => [
    `  # ${plain(example.title)}`,
    `  queztl submit ${type} ${shellQuote(plain(JSON.stringify(example.payload)))}`,
  ]);
  return [
    `${plain(title)}: ${plain(summary)}`,
    "",
    table(["FIELD", "", "TAKES"], fields),
    "",
    "Examples:",
    ...shown,
  ].join("\n");
}

const shellQuote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
