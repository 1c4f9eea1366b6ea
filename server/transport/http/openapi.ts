/** The OpenAPI document, from the schemas that validate. */
import type { OpenAPIHono } from "@hono/zod-openapi";

/** The part of the document that the API page prints. */
export interface OpenApiOperation {
  tags?: string[];
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: unknown }[];
  security?: Record<string, string[]>[];
  requestBody?: { content: Record<string, { schema: unknown }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: unknown }> }>;
}
export interface OpenApiDocument {
  openapi: string;
  info: { title: string; version: string; description?: string };
  paths: Record<string, Record<string, OpenApiOperation>>;
  components?: { schemas?: Record<string, unknown> };
}

export function openApiDocument(registry: OpenAPIHono, version: string): OpenApiDocument {
  registry.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    description: "An API key (`qk_...`) or the operator's token.",
  });
  registry.openAPIRegistry.registerComponent("securitySchemes", "session", {
    type: "apiKey",
    in: "cookie",
    name: "queztl_session",
    description:
      "The operator's browser session, of POST /api/v1.2/session. Counts for the coordinator's own pages only.",
  });
  const document = registry.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Queztl",
      version,
      description:
        "Submit work to the grid, watch it, fetch its result. Errors are problem documents (RFC 9457) that name the " +
        "field and the remedy. Programs on the coordinator's own machine need no key while keyless loopback is on.",
    },
  });
  return document as unknown as OpenApiDocument;
}
