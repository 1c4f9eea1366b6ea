/** Latency of one-task jobs on an idle grid, seen from a process that is both submitter and node. */
import { Agent, request } from "node:http";
import { makeInputs, packResults, taskBytes } from "./echo/data.ts";
import type { Tally } from "./node.ts";

export interface Latencies {
  /** Milliseconds, one of each job: from before the POST is written ... */
  /** ... until a node has read its lease ... */
  startMs: number[];
  /** ... until the 202 was read ... */
  acceptedMs: number[];
  /** ... until the answer to `GET .../result?wait` was read. */
  resultMs: number[];
}

const agent = new Agent({ keepAlive: true, maxSockets: 2, noDelay: true });

/** Jobs go one after the other; the first fifth is warm-up and is not counted. */
export async function measureLatency(
  port: number,
  jobs: number,
  output: "rows" | "reduce",
  tally: Tally,
): Promise<Latencies> {
  const latencies: Latencies = { startMs: [], acceptedMs: [], resultMs: [] };
  const warmUp = Math.ceil(jobs / 5);
  for (let job = 0; job < warmUp + jobs; job++) {
    const inputs = makeInputs(job, 1);
    const body = JSON.stringify({
      workload_type: "benchmark_echo",
      payload: { inputs: inputs.toString("base64"), output },
    });
    let leasedMs = 0;
    tally.onLease = () => {
      leasedMs = performance.now();
    };
    const fromMs = performance.now();
    const accepted = await ask(port, "POST", "/api/v1.2/workload/submit", body);
    const acceptedMs = performance.now();
    const { task_id } = accepted as { task_id: string };
    const answer = await ask(port, "GET", `/api/v1.2/workload/${task_id}/result?wait=10`, null);
    const resultMs = performance.now();
    assertResult(answer as { status: string; result: unknown }, output, inputs);
    if (job < warmUp) continue;
    latencies.startMs.push(leasedMs - fromMs);
    latencies.acceptedMs.push(acceptedMs - fromMs);
    latencies.resultMs.push(resultMs - fromMs);
  }
  tally.onLease = null;
  return latencies;
}

function assertResult(answer: { status: string; result: unknown }, output: "rows" | "reduce", inputs: Buffer): void {
  if (answer.status !== "completed") throw new Error(`a job ended as ${answer.status}`);
  if (output === "rows") return;
  const expected = Buffer.from(packResults(inputs).subarray(2, 2 + taskBytes)).toString("base64");
  if (answer.result !== expected) throw new Error("a job's result is wrong");
}

export function ask(port: number, method: string, path: string, body: string | null): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers =
      body === null ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const call = request({ host: "127.0.0.1", port, method, path, headers, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        if ((response.statusCode ?? 500) < 300) resolve(JSON.parse(text));
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${text.slice(0, 300)}`));
      });
      response.on("error", reject);
    });
    call.on("error", reject);
    call.end(body ?? undefined);
  });
}
