/** `queztl submit`: a payload from JSON, a file, standard input or fields; one job, however often it is sent. */

import type { SubmitOptions } from "../sdk/index.ts";
import { type Command, type Context, printJson, timeoutFlag, waiting } from "./context.ts";
import { exits, UsageError } from "./exits.ts";
import { integerFlag, numberFlag } from "./flags.ts";
import { awaitReport, printReport } from "./follow.ts";
import { readPayload } from "./payload.ts";
import { duration } from "./print.ts";
import { fieldsOf, withFields } from "./schema.ts";

export const submit: Command = {
  name: "submit",
  usage: "TYPE [PAYLOAD] [--FIELD VALUE ...]",
  summary: "Submit a job and print its id",
  words: ["TYPE", "PAYLOAD"],
  required: 1,
  flags: {
    priority: { value: "N", help: "1 (whenever) to 10 (first); 5 without" },
    supply: { value: "WHO", help: "`volunteers`, or `paid`: instances may be launched for it" },
    deadline: { value: "TIME", help: "When it should be done, as 2027-01-31T18:00Z" },
    budget: { value: "DOLLARS", help: "What its instances may cost" },
    region: { value: "REGION", help: "Where the work comes from, as eu-west-1" },
    placement: {
      value: "WHERE",
      help: "Who may see the inputs: `own` nodes, `trusted` volunteers too, or `volunteers`",
    },
    audit: { value: "SHARE", help: "Share of trusted volunteers' results that own nodes audit, 0 to 1" },
    redundancy: { value: "N", help: "Identities of different networks that compute every grain, 1 to 8" },
    webhook: { value: "URL", help: "Told of its end; a host that the operator allows" },
    "idempotency-key": { value: "KEY", help: "The same key and payload are the same job, however often submitted" },
    wait: { help: "Show its progress, wait for the end and print the result" },
    timeout: timeoutFlag,
  },
  withFields: true,
  async run(context) {
    const { flags, words, io, grid } = context;
    const [type, word] = words as [string, string | undefined];
    if (flags.has("timeout") && !flags.has("wait")) {
      throw new UsageError("--timeout", "--timeout belongs to --wait.", "Add --wait, or leave it out.");
    }
    const priority = integerFlag(flags, "priority", 1, 10);
    const payload = await readPayload(word, io.stdin);
    const job = await grid.submit(type, await complete(type, payload, context), {
      ...(priority === undefined ? {} : { priority }),
      ...termsOf(flags),
      ...(flags.has("idempotency-key") ? { idempotencyKey: flags.get("idempotency-key")! } : {}),
      signal: io.signal,
    });
    // From here on messages name the job.
    words[0] = job.id;
    if (!flags.has("wait")) {
      await (context.json ? printJson(context, job.accepted) : io.out(`${job.id}\n`));
      if (!context.json) tell(context, job.accepted);
      return exits.ok;
    }
    if (!context.json) context.progress.say(`job ${job.id}`);
    await printReport(await waiting(context, (signal) => awaitReport(job, context, signal)), context);
    return exits.ok;
  },
};

/** Who pays, until when, how sure, and whom to tell. What the coordinator knows better is left to it. */
function termsOf(flags: Context["flags"]): SubmitOptions {
  const supply = flags.get("supply");
  if (supply !== undefined && supply !== "volunteers" && supply !== "paid")
    throw new UsageError("--supply", `--supply is "${supply}".`, "Give volunteers or paid.");
  const deadline = flags.has("deadline") ? new Date(flags.get("deadline") as string) : undefined;
  if (deadline && Number.isNaN(deadline.getTime()))
    throw new UsageError("--deadline", `--deadline is "${flags.get("deadline")}".`, "Give it like 2027-01-31T18:00Z.");
  const placement = flags.get("placement");
  if (placement !== undefined && placement !== "own" && placement !== "trusted" && placement !== "volunteers")
    throw new UsageError("--placement", `--placement is "${placement}".`, "Give own, trusted or volunteers.");
  const audit = numberFlag(flags, "audit", 0, 1);
  const redundancy = integerFlag(flags, "redundancy", 1, 8);
  const verification = {
    ...(audit === undefined ? {} : { audit }),
    ...(redundancy === undefined ? {} : { redundancy }),
  };
  const budget = numberFlag(flags, "budget", 0, 1e6);
  return {
    ...(supply === undefined ? {} : { supply }),
    ...(deadline === undefined ? {} : { deadline }),
    ...(budget === undefined ? {} : { budget }),
    ...(placement === undefined ? {} : { placement }),
    ...(flags.has("region") ? { region: flags.get("region")! } : {}),
    ...(flags.has("webhook") ? { webhook: flags.get("webhook")! } : {}),
    ...(Object.keys(verification).length > 0 ? { verification } : {}),
  };
}

/** The payload with the fields of the command line, read as the workload's schema says. */
async function complete(type: string, payload: unknown, { fields, grid, io }: Context): Promise<unknown> {
  if (fields.length === 0) return payload;
  const { workload_types } = await grid.workloadTypes({ signal: io.signal });
  const known = workload_types.find((candidate) => candidate.type === type);
  // The coordinator refuses it, and says what there is.
  if (known === undefined) return payload;
  return withFields(payload, fields, fieldsOf(known.payload_schema));
}

function tell(
  { progress }: Context,
  accepted: { estimated_core_seconds: number; grains: number; replayed: boolean; task_id: string },
): void {
  const { estimated_core_seconds, grains, replayed, task_id } = accepted;
  const what = replayed ? "This job was submitted before" : "Accepted and on disk";
  const size = `${grains} ${grains === 1 ? "grain" : "grains"}, about ${duration(estimated_core_seconds)} of one core`;
  progress.say(`${what}: ${size}. Its result: queztl result ${task_id}`);
}
