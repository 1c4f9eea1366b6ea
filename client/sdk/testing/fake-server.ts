/** A server that answers as a test says, request by request, over real connections. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export type Handler = (request: Received, response: ServerResponse) => void | Promise<void>;

export interface FakeServer extends AsyncDisposable {
  url: string;
  received: Received[];
  /** Answers under way. (Connections say less: Node's fetch opens an idle one where it has just closed one.) */
  open(): number;
  stop(): Promise<void>;
}

/** Each request takes the next handler; the last one answers all that come after. */
export async function fakeServer(...handlers: Handler[]): Promise<FakeServer> {
  const received: Received[] = [];
  let open = 0;
  const server = createServer((incoming, response) => {
    open++;
    response.on("close", () => open--);
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("error", () => {});
    incoming.on("end", () => {
      const { method = "", url: path = "", headers } = incoming;
      const request = { method, path, headers, body: Buffer.concat(chunks).toString() };
      const handler = handlers[Math.min(received.length, handlers.length - 1)];
      received.push(request);
      void handler?.(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    open: () => open,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

export const json =
  (status: number, value: unknown, headers: Record<string, string> = {}): Handler =>
  (_request, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
  };

export const problem = (
  code: string,
  status: number,
  details: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Handler =>
  json(status, { type: `/api#problem-${code}`, title: code, status, detail: `It is ${code}.`, ...details }, headers);

/** The connection ends without an answer. */
export const cut: Handler = (_request, response) => {
  response.destroy();
};

/** No answer, ever. */
export const silent: Handler = () => {};

export const accepted: Handler = json(202, {
  task_id: "job-1",
  status: "queued",
  workload_type: "monte_carlo",
  priority: 5,
  tasks: 1,
  grains: 1,
  estimated_core_seconds: 1,
  links: { self: "", result: "", events: "" },
});

/** Pauses of tests: short, and enough of them. */
export const quick = { baseMs: 1, capMs: 5, totalMs: 10_000, firstMs: 10_000 };
