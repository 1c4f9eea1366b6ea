/** A judge thread: runs workloads' host side, off the coordinator's event loop. */
import { parentPort } from "node:worker_threads";
import type { Host, Workload } from "../../kernels/contract.ts";
import type { JudgeAnswer, JudgeOpen, ToJudge } from "./messages.ts";
import { JudgeRoom, message } from "./room.ts";

if (!parentPort) throw new Error("this module runs in a judge thread");
const port = parentPort;

const rooms = new Map<string, Promise<JudgeRoom>>();
const failed = new Set<string>();
/** By URL: a few for each workload. */
const modules = new Map<string, Promise<unknown>>();
/** Work of one job is done in the order of its arrival. */
let line: Promise<void> = Promise.resolve();

port.on("message", (batch: ToJudge[]) => {
  line = line.then(async () => {
    const answers: JudgeAnswer[] = [];
    for (const item of batch) {
      const answer = await handle(item);
      if (answer) answers.push(answer);
    }
    if (answers.length > 0) port.postMessage(answers, answers.flatMap(buffersOf));
  });
});

/** Of the files that an answer brings: handed over, not copied. */
const buffersOf = (answer: JudgeAnswer): ArrayBuffer[] =>
  answer.type !== "finished"
    ? []
    : answer.files.flatMap(({ bytes: { buffer, byteLength } }) =>
        buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [],
      );

async function handle(item: ToJudge): Promise<JudgeAnswer | null> {
  if (item.type === "open") {
    failed.delete(item.job);
    rooms.set(item.job, openRoom(item));
    return null;
  }
  if (item.type === "forget") {
    rooms.delete(item.job);
    failed.delete(item.job);
    return null;
  }
  try {
    const room = await rooms.get(item.job);
    if (!room || failed.has(item.job)) return null;
    return await room.work(item);
  } catch (error) {
    failed.add(item.job);
    return { type: "judge.failed", job: item.job, message: message(error) };
  }
}

async function openRoom(open: JudgeOpen): Promise<JudgeRoom> {
  const [workload, host] = await Promise.all([load<Workload>(open.workloadModule), load<Host>(open.hostModule)]);
  return new JudgeRoom(open, workload, host);
}

/** An import of what is loaded already still takes half a millisecond where a loader stands before it. */
function load<T>(module: string): Promise<T> {
  let loading = modules.get(module) as Promise<T> | undefined;
  if (!loading) {
    loading = import(module).then(({ default: value }) => value as T);
    modules.set(module, loading);
  }
  return loading;
}
