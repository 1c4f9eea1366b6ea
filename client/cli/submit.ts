/** `queztl submit`: a payload from JSON, a file, standard input or fields; one job, however often it is sent. */

import { type Command, type Context, printJson, timeoutFlag, waiting } from "./context.ts";
import { exits, UsageError } from "./exits.ts";
import { integerFlag } from "./flags.ts";
import { awaitReport, printReport } from "./follow.ts";
import { readPayload } from "./payload.ts";
import { duration } from "./print.ts";
import { fieldsOf, withFields } from "./schema.ts";
import { termFlags, termsOf } from "./terms.ts";

export const submit: Command = {
  name: "submit",
  usage: "TYPE [PAYLOAD] [--FIELD VALUE ...]",
  summary: "Submit a job and print its id",
  words: ["TYPE", "PAYLOAD"],
  required: 1,
  flags: {
    priority: { value: "N", help: "1 (whenever) to 10 (first); 5 without" },
    ...termFlags,
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
