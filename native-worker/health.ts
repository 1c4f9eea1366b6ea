import { createServer } from "node:http";
import type { WorkerNode } from "./node.ts";

/** The worker's own page for those who watch it: 200 while it is online, 503 otherwise. */
export function serveHealth(port: number, node: WorkerNode, log: (code: string, message: string) => void): void {
  const server = createServer((request, response) => {
    const known = request.url === "/health";
    const { view } = node;
    response.statusCode = known ? (view?.phase === "online" ? 200 : 503) : 404;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(known ? view : { detail: "There is only /health here." }));
  });
  server.on("error", (error) => log("health", `The health page cannot listen: ${error.message}`));
  server.listen(port, () => {
    const address = server.address();
    if (typeof address === "object" && address) log("health", `Health: http://localhost:${address.port}/health`);
  });
  server.unref();
}
