/** The HTTP side of the coordinator as one Hono app. `listen.ts` has the server beneath it. */
import { OpenAPIHono } from "@hono/zod-openapi";
import { Hono } from "hono";
import type { Access } from "../../access/access.ts";
import type { Grid } from "../grid.ts";
import type { GridScaler } from "../scaler.ts";
import type { SseHub } from "../sse.ts";
import { Api, type HttpContext, type HttpEnv } from "./api.ts";
import { autoscalerRoutes } from "./autoscaler.ts";
import { BlobSender } from "./blob-sender.ts";
import { blobRoutes } from "./blobs.ts";
import type { RouteDeps } from "./deps.ts";
import { docsCss, docsPage } from "./docs-page.ts";
import { workingCurl } from "./example.ts";
import { IncomingFacts } from "./facts.ts";
import { type BuiltFiles, fileRoutes, kernelRoutes } from "./files.ts";
import { apiHeaders, docsHeaders, revalidate } from "./headers.ts";
import { keyRoutes, sessionRoutes } from "./keys.ts";
import { linkRoutes } from "./links.ts";
import type { Metrics } from "./metrics.ts";
import { networkRoutes } from "./network.ts";
import { type OpenApiDocument, openApiDocument } from "./openapi.ts";
import { HttpProblem, isDefect, problemOf } from "./problems.ts";
import { receiptRoutes } from "./receipts.ts";
import { streamRoutes } from "./streams.ts";
import { uploadRoutes } from "./uploads.ts";
import { volunteerRoutes } from "./volunteers.ts";
import { workloadRoutes } from "./workload.ts";

/** For a shell that makes its own server; `httpServer` uses them already. */
export { listenOptions } from "./listen.ts";

export interface AppOptions {
  grid: Grid;
  access: Access;
  built: BuiltFiles;
  metrics: Metrics;
  /** Absent where no instances are launched. */
  scaler?: GridScaler | null;
  /** All event streams of the server; closed by the shell at shutdown. */
  sse: SseHub;
  version: string;
  publicUrl: URL | null;
  webhookHosts?: readonly string[];
  tls: boolean;
  /** Told of defects: what became a 500. */
  report: (error: unknown, request: string) => void;
}

export function createApp(options: AppOptions): Hono<HttpEnv> {
  const { grid, access, publicUrl } = options;
  const app = new Hono<HttpEnv>();
  app.onError((error, c) => problem(c as HttpContext, error, options.report));
  app.notFound((c) => {
    const remedy = "The API page is /api; its document /api/v1.2/openapi.json.";
    return problem(
      c as HttpContext,
      new HttpProblem("not_found", `There is nothing at ${c.req.path.slice(0, 100)}.`, { field: "path", remedy }),
      options.report,
    );
  });
  app.use("*", (c, next) => {
    const { incoming } = c.env;
    if (hostHeaders(incoming.rawHeaders) > 1) {
      const remedy = "Send one Host header.";
      throw new HttpProblem("bad_request", "The request has several Host headers.", { field: "header Host", remedy });
    }
    access.admit(new IncomingFacts(incoming));
    return next();
  });

  const registry = new OpenAPIHono();
  const api = new Api(app, registry, access);
  const { scaler = null, webhookHosts = [] } = options;
  const blobs = new BlobSender(grid.blobs);
  const files = new BlobSender(grid.files);
  const deps: RouteDeps = {
    api,
    files,
    grid,
    access,
    sse: options.sse,
    scaler,
    webhookHosts,
    publicUrl,
  };
  networkRoutes(deps);
  workloadRoutes(deps);
  uploadRoutes(deps);
  streamRoutes(deps);
  receiptRoutes(deps);
  volunteerRoutes(deps);
  autoscalerRoutes(deps);
  keyRoutes(deps);
  sessionRoutes(deps, options.tls);
  linkRoutes(deps);
  metricsRoute(api, options.metrics);
  documentRoutes(app, api, registry, options);
  api.refuseOtherMethods();
  app.all("/api/*", (c) => c.notFound());
  kernelRoutes(app, grid);
  blobRoutes(app, grid, access, { blobs, files });
  fileRoutes(app, options.built);
  return app;
}

/** Node keeps the first of several, a proxy before us may have looked at the last. */
function hostHeaders(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 4 && name.toLowerCase() === "host") count++;
  }
  return count;
}

function metricsRoute(api: Api, metrics: Metrics): void {
  api.route(
    {
      method: "get",
      path: "/metrics",
      tag: "Grid",
      summary: "Prometheus metrics",
      answers: { 200: { description: "Text exposition format.", mediaType: metrics.contentType } },
    },
    async ({ c }) => c.body(await metrics.scrape(), 200, { ...apiHeaders, "content-type": metrics.contentType }),
  );
}

function documentRoutes(app: Hono<HttpEnv>, api: Api, registry: OpenAPIHono, options: AppOptions): void {
  let made: { document: OpenApiDocument; text: string } | null = null;
  // When first asked for: every route has been declared by then.
  const make = (): { document: OpenApiDocument; text: string } => {
    if (made !== null) return made;
    const document = openApiDocument(registry, options.version);
    made = { document, text: JSON.stringify(document) };
    return made;
  };
  api.route(
    {
      method: "get",
      path: "/api/v1.2/openapi.json",
      tag: "Grid",
      summary: "This document",
      answers: { 200: { description: "OpenAPI 3.1.", mediaType: "application/json" } },
    },
    ({ c }) => c.body(make().text, 200, { ...apiHeaders, "content-type": "application/json; charset=utf-8" }),
  );
  app.get("/api", async (c) => {
    const facts = new IncomingFacts(c.env.incoming);
    const kind = options.access.keyless.off === null ? "local" : "anonymous";
    const page = docsPage(make().document, workingCurl(options.grid.workloadTypes(), facts, options.publicUrl, kind));
    return c.body(page, 200, {
      ...docsHeaders,
      "cache-control": revalidate,
      "content-type": "text/html; charset=utf-8",
    });
  });
  app.get("/api/style.css", (c) =>
    c.body(docsCss, 200, { ...docsHeaders, "cache-control": revalidate, "content-type": "text/css; charset=utf-8" }),
  );
}

function problem(c: HttpContext, error: unknown, report: AppOptions["report"]): Response {
  if (isDefect(error)) report(error, `${c.req.method} ${c.req.path}`);
  const { body, headers } = problemOf(error);
  return new Response(c.req.method === "HEAD" ? null : JSON.stringify(body), {
    status: body.status,
    headers: { ...apiHeaders, "content-type": "application/problem+json", ...headers },
  });
}
