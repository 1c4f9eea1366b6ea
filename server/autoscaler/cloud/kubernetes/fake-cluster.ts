/** A Kubernetes API server as far as Jobs go (batch/v1): made, listed by label, patched, deleted; their pods are counted. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface Job {
  metadata: { name: string; labels: Record<string, string>; creationTimestamp: string };
  spec: {
    suspend?: boolean;
    activeDeadlineSeconds?: number;
    template: { spec: { containers: Record<string, unknown>[] } };
  };
  status: { active?: number; ready?: number };
}

export class FakeCluster {
  readonly jobs = new Map<string, Job>();
  /** Answers the next request that makes a Job with this. */
  refusal: { status: number; message: string } | null = null;
  patchedAs = "";
  readonly #server: Server = createServer((request, response) => {
    void this.#answer(request).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    });
  });

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(request.url ?? "/", "http://cluster");
    const [, name] = /^\/apis\/batch\/v1\/namespaces\/grid\/jobs(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    if (name === undefined && request.method === "POST") return this.#create(JSON.parse(text));
    if (name === undefined) return { status: 200, body: this.#list(url.searchParams) };
    const job = this.jobs.get(name);
    if (!job) return fault(404, `jobs.batch "${name}" not found`);
    if (request.method === "PATCH") {
      this.patchedAs = request.headers["content-type"] ?? "";
      Object.assign(job.spec, (JSON.parse(text) as { spec: object }).spec);
      // The controller deletes the pods of a suspended Job.
      if (job.spec.suspend) job.status = {};
    } else if (request.method === "DELETE") this.jobs.delete(name);
    return { status: 200, body: job };
  }

  #create(job: Job): { status: number; body: unknown } {
    if (this.refusal) {
      const { status, message } = this.refusal;
      this.refusal = null;
      return fault(status, message);
    }
    const { name } = job.metadata;
    if (this.jobs.has(name)) return fault(409, `jobs.batch "${name}" already exists`);
    const made = { ...job, metadata: { ...job.metadata, creationTimestamp: new Date().toISOString() } };
    this.jobs.set(name, { ...made, status: { active: 1, ready: 1 } });
    return { status: 201, body: made };
  }

  /** In pages of two, so that whoever lists must go on. */
  #list(query: URLSearchParams): unknown {
    const [label = "", value = ""] = (query.get("labelSelector") ?? "").split("=");
    const from = Number(query.get("continue") ?? 0);
    const all = [...this.jobs.values()].filter(({ metadata }) => metadata.labels[label] === value);
    const more = from + 2 < all.length ? { continue: String(from + 2) } : {};
    return { kind: "JobList", apiVersion: "batch/v1", metadata: more, items: all.slice(from, from + 2) };
  }
}

const fault = (code: number, message: string): { status: number; body: unknown } => ({
  status: code,
  body: { kind: "Status", apiVersion: "v1", status: "Failure", message, code },
});
