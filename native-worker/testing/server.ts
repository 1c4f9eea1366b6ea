/** A small coordinator over real HTTP and a real WebSocket: serves built kernels, and gives what leases a test wants. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { FakeCoordinator } from "../../agent/testing/fake-coordinator.ts";
import { grainTasks } from "../../kernels/contract.ts";
import { WasmRunner } from "../../kernels/run/wasm.ts";
import { workloads } from "../../kernels/workloads.ts";
import type { JobDescription, KernelFiles } from "../../protocol/messages.ts";
import { socketPath } from "../../protocol/version.ts";

const kernelsFolder = new URL("../../dist/kernels/", import.meta.url);
type Manifest = Record<string, { kernel: string; files: KernelFiles }>;
const manifest = JSON.parse(await readFile(new URL("manifest.json", kernelsFolder), "utf8")) as Manifest;
const built = manifest.monte_carlo as Manifest[string];
const monteCarlo = workloads.get("monte_carlo");
if (!monteCarlo) throw new Error("These tests need the monte_carlo workload.");

/** A grain of one task: some milliseconds of one core. */
const payload = monteCarlo.payload.parse({ iterations: 1_000_000_000, samples: 200_000 });

export const job = (options: { grainTasks?: number } = {}): JobDescription => ({
  type: "job",
  job: "job-1",
  round: 0,
  workload: "monte_carlo",
  kernel: built.kernel,
  files: built.files,
  payload: { inline: payload },
  input: null,
  tasks: 5_000,
  grainTasks: options.grainTasks ?? 1,
});

/** What grain `grain` of the job must be, computed here. */
export async function expectedPartial(grain: number): Promise<Uint8Array> {
  const runner = new WasmRunner((sha256) => readFile(new URL(`${sha256}.wasm`, kernelsFolder)));
  const [lo, hi] = grainTasks(job(), grain);
  const request = { workload: monteCarlo as never, files: built.files, payload, round: 0, input: null, inputs: null };
  return (await runner.run({ ...request, lo, hi }, new AbortController().signal)).partial;
}

export interface TestServer extends AsyncDisposable {
  url: string;
  coordinator: FakeCoordinator;
  /** Paths that were asked for over HTTP. */
  requests: string[];
  /** What a path answers instead of its file. */
  damaged: Map<string, Buffer>;
}

/** Defects of a node, as a wrong signature, are thrown at the end. */
export async function startServer(): Promise<TestServer> {
  const coordinator = new FakeCoordinator();
  coordinator.checkPartial = () => {};
  const requests: string[] = [];
  const damaged = new Map<string, Buffer>();
  const defects: unknown[] = [];
  const server = createServer(async (request, response) => {
    const path = request.url ?? "";
    requests.push(path);
    try {
      if (path === "/api/v1.2/workload-types") {
        const types = Object.entries(manifest).map(([type, { files }]) => ({ type, files }));
        response.end(JSON.stringify({ workload_types: types, planned: [] }));
      } else response.end(damaged.get(path) ?? (await readFile(new URL(path.replace("/k/", ""), kernelsFolder))));
    } catch {
      response.writeHead(404).end();
    }
  });
  const sockets = new WebSocketServer({ server, path: socketPath });
  sockets.on("connection", (socket) => {
    socket.on("message", (data: Buffer) => {
      try {
        coordinator.frame(data);
      } catch (error) {
        defects.push(error);
      }
    });
    socket.on("close", () => {
      coordinator.post = null;
    });
    coordinator.connected(
      (bytes) => socket.send(bytes),
      () => socket.terminate(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    coordinator,
    requests,
    damaged,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
      if (defects.length > 0) throw defects[0];
    },
  };
}

/** Waits for what must become so; after `ms` it says what did not. */
export async function until(what: string, isSo: () => boolean, ms = 12_000): Promise<void> {
  for (const endMs = performance.now() + ms; performance.now() < endMs; ) {
    if (isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`After ${ms} ms still not: ${what}`);
}
