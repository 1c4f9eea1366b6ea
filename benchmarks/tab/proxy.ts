/** A proxy that counts what passes through it on the way to the browser, by kind: what a first visit transfers. */
import { createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";

export interface Counted {
  /** The page with its scripts and styles. */
  page: number;
  kernels: number;
  /** Answers of the API, and the WebSocket. */
  talk: number;
}

export interface CountingProxy {
  url: string;
  counted: Counted;
  close(): void;
}

const kindOf = (path: string): keyof Counted =>
  path.startsWith("/k/") ? "kernels" : path.startsWith("/api/") ? "talk" : "page";

export async function startProxy(target: string): Promise<CountingProxy> {
  const { port } = new URL(target);
  const counted: Counted = { page: 0, kernels: 0, talk: 0 };
  const server = createServer((incoming, outgoing) => {
    const { method, url = "/", headers } = incoming;
    const kind = kindOf(url);
    const asked = request({ host: "127.0.0.1", port, method, path: url, headers }, (answer) => {
      counted[kind] += 20 + answer.rawHeaders.reduce((sum, part) => sum + part.length + 2, 0);
      answer.on("data", (data: Buffer) => {
        counted[kind] += data.length;
      });
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    asked.on("error", () => outgoing.destroy());
    outgoing.on("close", () => asked.destroy());
    incoming.pipe(asked);
  });
  server.on("upgrade", (incoming, socket, head) => {
    const upstream = connect(Number(port), "127.0.0.1", () => {
      const lines = incoming.rawHeaders.flatMap((part, at) =>
        at % 2 === 0 ? [`${part}: ${incoming.rawHeaders[at + 1]}`] : [],
      );
      upstream.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on("data", (data: Buffer) => {
      counted.talk += data.length;
    });
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    counted,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
