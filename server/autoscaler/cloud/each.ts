/** Orders for clouds that make and end instances one by one: what went well is told beside what was refused. */
import { createHash } from "node:crypto";
import { CloudError, type Launched, type LaunchOrder, type LaunchReply, type TerminateReply } from "./provider.ts";

/** Of the order's nth instance. The same order comes to the same names, which can be there once only. */
export const instanceName = ({ token }: Pick<LaunchOrder, "token">, at: number): string =>
  `queztl-${createHash("sha256").update(token).digest("hex").slice(0, 20)}-${at}`;

/** `make` answers with the id of the order's nth instance. Throws CloudError where none was made. */
export async function launchEach(
  { count }: LaunchOrder,
  offering: string,
  make: (at: number) => Promise<string>,
  cloudError: (error: unknown) => CloudError,
): Promise<LaunchReply> {
  const instances: Launched[] = [];
  const refusals: LaunchReply["refusals"] = [];
  for (const outcome of await Promise.allSettled(Array.from({ length: count }, (_, at) => make(at)))) {
    if (outcome.status === "fulfilled") instances.push({ id: outcome.value, offering });
    else refusals.push({ offering, ...partsOf(cloudError(outcome.reason)) });
  }
  const [refused] = refusals;
  if (instances.length === 0 && refused) throw new CloudError(refused.code, refused.message);
  return { instances, refusals };
}

/** `end` does nothing for one that has gone already. Throws CloudError where none was ended. */
export async function terminateEach(
  ids: readonly string[],
  end: (id: string) => Promise<void>,
  cloudError: (error: unknown) => CloudError,
): Promise<TerminateReply> {
  const reply: TerminateReply = { accepted: [], refusals: [] };
  for (const [at, outcome] of (await Promise.allSettled(ids.map(end))).entries()) {
    const id = ids[at] as string;
    if (outcome.status === "fulfilled") reply.accepted.push(id);
    else reply.refusals.push({ id, ...partsOf(cloudError(outcome.reason)) });
  }
  const [refused] = reply.refusals;
  if (reply.accepted.length === 0 && refused) throw new CloudError(refused.code, refused.message);
  return reply;
}

/** Done, also where it failed with what says that there was nothing to do. */
export async function unless(done: Promise<unknown>, isFine: (error: unknown) => boolean): Promise<void> {
  await done.catch((error: unknown) => {
    if (!isFine(error)) throw error;
  });
}

const partsOf = ({ code, message }: CloudError) => ({ code, message });
