/**
 * Workers of a tab. They start nested, from the agent's worker; browsers whose workers cannot start workers let the page
 * make them, and the agent speaks with them through ports.
 */
import * as Comlink from "comlink";

export type WorkerRole = "queztl-agent" | "queztl-compute" | "queztl-gpu";

/** A worker, nested or made by the page. */
export interface ComputeWorker extends Comlink.Endpoint {
  terminate(): void;
  onerror: ((event: ErrorEvent) => void) | null;
  onmessageerror: ((event: MessageEvent) => void) | null;
}

/** What the agent asks of the page where it cannot start workers itself. */
export interface WorkerMaker {
  /** Starts a worker that serves what comes through `port`; `onBroken` is told when it fails. */
  make(id: number, role: WorkerRole, port: MessagePort, onBroken: (message: string) => void): void;
  end(id: number): void;
}

/** Whether a worker can start workers: asked from within one. */
export const canNest = (): boolean => typeof Worker === "function";

/** From within a worker: another one, from the same script. */
export const startNestedWorker = (role: WorkerRole): ComputeWorker =>
  new Worker(self.location.href, { type: "module", name: role }) as ComputeWorker;

let made = 0;

/** A worker that the page makes, as if it were nested. */
export function askForWorker(maker: Comlink.Remote<WorkerMaker> | WorkerMaker, role: WorkerRole): ComputeWorker {
  const id = ++made;
  const { port1, port2 } = new MessageChannel();
  const worker: ComputeWorker = {
    onerror: null,
    onmessageerror: null,
    postMessage: (message: unknown, transfer?: Transferable[]) => port1.postMessage(message, transfer ?? []),
    addEventListener: port1.addEventListener.bind(port1),
    removeEventListener: port1.removeEventListener.bind(port1),
    terminate: () => {
      port1.close();
      void maker.end(id);
    },
  };
  port1.onmessageerror = (event) => worker.onmessageerror?.(event);
  port1.start();
  const broken = (message: string): void =>
    worker.onerror?.({ message, preventDefault: () => {} } as unknown as ErrorEvent);
  void maker.make(id, role, Comlink.transfer(port2, [port2]), Comlink.proxy(broken));
  return worker;
}

/** First message to a worker that the page makes for the agent: the port that it serves. */
interface Served {
  queztlPort: MessagePort;
}

/** In the page: makes and ends workers for the agent. */
export class PageMadeWorkers implements WorkerMaker {
  readonly #workers = new Map<number, Worker>();

  constructor(private readonly start: (role: WorkerRole) => Worker) {}

  make(id: number, role: WorkerRole, port: MessagePort, onBroken: (message: string) => void): void {
    const worker = this.start(role);
    worker.onerror = (event) => {
      event.preventDefault();
      onBroken(event.message || "a compute worker could not start");
    };
    worker.postMessage({ queztlPort: port } satisfies Served, [port]);
    this.#workers.set(id, worker);
  }

  end(id: number): void {
    this.#workers.get(id)?.terminate();
    this.#workers.delete(id);
  }

  endAll(): void {
    for (const id of [...this.#workers.keys()]) this.end(id);
  }
}

/** In a compute worker: serves its owner, nested or through a port. */
export function serve(api: unknown): void {
  Comlink.expose(api);
  self.addEventListener("message", (event: MessageEvent<Partial<Served> | null>) => {
    const port = event.data?.queztlPort;
    if (port instanceof MessagePort) Comlink.expose(api, port);
  });
}
