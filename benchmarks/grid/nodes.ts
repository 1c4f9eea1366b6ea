/** All simulated nodes of a run, in a process of their own. */
import { answerCalls } from "./child.ts";
import { SimulatedNode, Tally } from "./node.ts";
import { measureLatency } from "./probe.ts";
import type { NodesSetup, RunTimes } from "./setup.ts";

let tally = new Tally();
let nodes: SimulatedNode[] = [];
let heartbeats: NodeJS.Timeout | null = null;
/** Handshakes under way at once: a thousand at a time would only queue at the server. */
const joiningMax = 64;
const heartbeatMs = 5_000;

async function connect({ port, nodes: count, slots, frames }: NodesSetup): Promise<void> {
  const first = nodes.length;
  let next = 0;
  const join = async (): Promise<void> => {
    while (next < count) {
      const at = first + next++;
      const node = new SimulatedNode(port, slots, frames === "result", tally);
      nodes[at] = node;
      await node.welcomed;
    }
  };
  await Promise.all(Array.from({ length: Math.min(joiningMax, count) }, join));
  startHeartbeats();
}

/** Spread over the interval, as those of real nodes are. */
function startHeartbeats(): void {
  if (heartbeats) return;
  let at = 0;
  heartbeats = setInterval(() => {
    const share = Math.ceil(nodes.length / (heartbeatMs / 100));
    for (let count = 0; count < share; count++) nodes[at++ % nodes.length]?.heartbeat();
  }, 100);
}

/** Lets all nodes take work, and resolves when `tasks` tasks were computed and all their results acknowledged. */
async function run({ tasks, msMax }: { tasks: number; msMax: number }): Promise<RunTimes> {
  const cpu = process.cpuUsage();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${tally.tasks} of ${tasks} tasks after ${msMax} ms, ${tally.acked} acknowledgements`)),
      msMax,
    );
    tally.onAck = () => {
      if (tally.defect) reject(new Error(tally.defect));
      if (tally.tasks < tasks || tally.acked + tally.late < tally.results) return;
      clearTimeout(timer);
      resolve();
    };
    for (const node of nodes) node.open();
  });
  const unacknowledged = nodes.reduce((sum, node) => sum + node.unacknowledged, 0);
  if (unacknowledged > 0) throw new Error(`${unacknowledged} results were never acknowledged`);
  const { user, system } = process.cpuUsage(cpu);
  const { firstLeaseMs, lastAckMs, results, framesIn, framesOut } = tally;
  return {
    ms: lastAckMs - firstLeaseMs,
    tasks: tally.tasks,
    results,
    framesIn,
    framesOut,
    cpuUs: user + system,
  };
}

function disconnect(): void {
  if (heartbeats) clearInterval(heartbeats);
  heartbeats = null;
  for (const node of nodes) {
    node.welcomed.catch(() => {});
    node.close();
  }
  nodes = [];
  tally = new Tally();
}

answerCalls({
  connect,
  run,
  disconnect,
  latency: (args: { port: number; jobs: number; output: "rows" | "reduce" }) => {
    for (const node of nodes) node.open();
    return measureLatency(args.port, args.jobs, args.output, tally);
  },
});
