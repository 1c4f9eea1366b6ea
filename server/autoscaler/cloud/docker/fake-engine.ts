/** A Docker engine as far as its API's reference goes (v1.43): images, containers, their states. Runs nothing. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface Container {
  name: string;
  body: {
    Image: string;
    Labels: Record<string, string>;
    Env: string[];
    Cmd: string[];
    HostConfig: Record<string, unknown>;
  };
  state: "created" | "running" | "exited";
  created: number;
}

export class FakeEngine {
  readonly containers = new Map<string, Container>();
  readonly images = new Set<string>();
  pulls = 0;
  /** Answers the next request that makes a container with this. */
  refusal: { status: number; message: string } | null = null;
  readonly #server: Server = createServer((request, response) => {
    void this.#answer(request).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(body === undefined ? "" : JSON.stringify(body));
    });
  });

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body?: unknown }> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(request.url ?? "/", "http://engine");
    const path = url.pathname.replace(/^\/v[\d.]+/, "");
    const missing = { status: 404, body: { message: "no such thing" } };
    if (path === "/_ping") return { status: 200, body: "OK" };
    if (path.startsWith("/images/") && path.endsWith("/json")) {
      const name = decodeURIComponent(path.slice(8, -5));
      return this.images.has(name) ? { status: 200, body: { Id: name } } : missing;
    }
    if (path === "/images/create") {
      this.pulls++;
      const tag = url.searchParams.get("tag");
      this.images.add(`${url.searchParams.get("fromImage")}${tag ? `:${tag}` : ""}`);
      return { status: 200, body: { status: "Downloaded" } };
    }
    if (path === "/containers/create") return this.#create(url.searchParams.get("name") ?? "", JSON.parse(text));
    if (path === "/containers/json") return { status: 200, body: this.#list(url.searchParams) };
    const [, name = "", action] = /^\/containers\/([^/]+)(?:\/(\w+))?$/.exec(path) ?? [];
    const container = this.containers.get(name);
    if (!container) return missing;
    if (action === "json") return { status: 200, body: { State: { Status: container.state } } };
    if (action === "start") {
      if (container.state === "running") return { status: 304 };
      container.state = "running";
      return { status: 204 };
    }
    if (action === "stop") {
      if (container.state !== "running") return { status: 304 };
      container.state = "exited";
      return { status: 204 };
    }
    if (request.method === "DELETE") this.containers.delete(name);
    return { status: 204 };
  }

  #create(name: string, body: Container["body"]): { status: number; body: unknown } {
    if (this.refusal) {
      const { status, message } = this.refusal;
      this.refusal = null;
      return { status, body: { message } };
    }
    if (!this.images.has(body.Image)) return { status: 404, body: { message: `No such image: ${body.Image}` } };
    if (this.containers.has(name)) return { status: 409, body: { message: `The name "/${name}" is already in use` } };
    this.containers.set(name, { name, body, state: "created", created: Math.floor(Date.now() / 1000) });
    return { status: 201, body: { Id: name, Warnings: [] } };
  }

  #list(query: URLSearchParams): unknown[] {
    const { label = [] } = JSON.parse(query.get("filters") ?? "{}") as { label?: string[] };
    return [...this.containers.values()]
      .filter(({ body }) => label.every((each) => body.Labels[each.split("=")[0] as string] === each.split("=")[1]))
      .map(({ name, body, state, created }) => ({
        Id: name,
        Names: [`/${name}`],
        State: state,
        Labels: body.Labels,
        Created: created,
      }));
  }
}
