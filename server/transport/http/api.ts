/**
 * One way to declare a route: method, path, schemas and handler in one place. The same schemas validate
 * requests here and are printed into the OpenAPI document.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Context, Hono } from "hono";
import type { z } from "zod";
import { problemSchema, type Scope } from "../../../protocol/rest.ts";
import type { Access } from "../../access/access.ts";
import { fieldErrors } from "../../field-errors.ts";
import { readJsonBody } from "./body.ts";
import { IncomingFacts } from "./facts.ts";
import { apiHeaders } from "./headers.ts";
import { parseJson } from "./json.ts";
import { HttpProblem, type ProblemCode, problemTable } from "./problems.ts";

/** What @hono/node-server puts beside a request. */
export type HttpEnv = {
  Bindings: { incoming: import("node:http").IncomingMessage; outgoing: import("node:http").ServerResponse };
};
export type HttpContext = Context<HttpEnv>;

export interface Answer {
  description: string;
  schema?: z.ZodType;
  /** When not JSON. */
  mediaType?: string;
}

export interface RouteSpec<Query extends z.ZodObject, Body extends z.ZodType> {
  method: "get" | "post" | "patch" | "delete";
  /** As OpenAPI writes it: `/api/v1.2/workload/{task_id}`. */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  /** The scope that the caller needs, for the document; the handler asks `access` itself. */
  scope?: Scope;
  query?: Query;
  body?: Body;
  bodyBytesMax?: number;
  headers?: Record<string, string>;
  answers: Record<number, Answer>;
  problems?: readonly ProblemCode[];
}

export interface Handled<Query extends z.ZodObject, Body extends z.ZodType> {
  c: HttpContext;
  facts: IncomingFacts;
  query: z.infer<Query>;
  /** Reads and validates the body; call it once the caller is known to be allowed. */
  body(): Promise<{ value: z.infer<Body>; bytes: Uint8Array }>;
}

/** Milliseconds that a body may take to arrive. */
const bodyMsMax = 30_000;
const bodyBytesDefault = 64 << 10;

export class Api {
  private readonly methods = new Map<string, string[]>();

  constructor(
    private readonly app: Hono<HttpEnv>,
    private readonly document: OpenAPIHono,
    private readonly access: Access,
  ) {}

  route<Query extends z.ZodObject = z.ZodObject, Body extends z.ZodType = z.ZodType>(
    spec: RouteSpec<Query, Body>,
    handler: (request: Handled<Query, Body>) => Promise<Response> | Response,
  ): void {
    this.document.openAPIRegistry.registerPath(documented(spec));
    const path = spec.path.replace(/\{(\w+)\}/g, ":$1");
    this.methods.set(path, [...(this.methods.get(path) ?? []), spec.method.toUpperCase()]);
    this.app.on(spec.method.toUpperCase(), path, (c) => {
      const facts = new IncomingFacts(c.env.incoming);
      this.access.limitRequests(facts);
      const query = readQuery(c, spec.query);
      return handler({ c, facts, query, body: () => readBody(c, spec) });
    });
  }

  /** Answers 405 with Allow for every other method of the paths declared so far. Call it last. */
  refuseOtherMethods(): void {
    for (const [path, methods] of this.methods) {
      const allow = [...methods, ...(methods.includes("GET") ? ["HEAD"] : [])].join(", ");
      this.app.all(path, (c) => {
        throw new HttpProblem(
          "method_not_allowed",
          `${c.req.method} is not allowed here.`,
          { field: "method", remedy: `Use ${allow}.` },
          { allow },
        );
      });
    }
  }
}

export const json = (c: Context, status: 200 | 201 | 202, value: unknown, headers?: Record<string, string>): Response =>
  c.body(JSON.stringify(value), status, {
    ...apiHeaders,
    "content-type": "application/json; charset=utf-8",
    ...headers,
  });

function readQuery<Query extends z.ZodObject>(c: HttpContext, schema: Query | undefined): z.infer<Query> {
  const empty = {} as z.infer<Query>;
  if (schema === undefined) return empty;
  const given = c.req.query();
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(schema.shape, name));
  if (unknown !== undefined) {
    throw new HttpProblem("invalid_query", `There is no query parameter "${unknown.slice(0, 80)}" here.`, {
      field: `query ${unknown.slice(0, 80)}`,
      remedy: `Use ${Object.keys(schema.shape).join(", ")}.`,
    });
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const errors = fieldErrors(parsed.error, "query ");
  throw new HttpProblem("invalid_query", errors[0]!.message, {
    field: errors[0]!.field,
    remedy: "Correct the parameter; the API page lists what each takes.",
    errors,
  });
}

async function readBody<Query extends z.ZodObject, Body extends z.ZodType>(
  c: HttpContext,
  spec: RouteSpec<Query, Body>,
): Promise<{ value: z.infer<Body>; bytes: Uint8Array }> {
  if (spec.body === undefined) throw new Error(`${spec.path} declares no body.`);
  const limits = { bytesMax: spec.bodyBytesMax ?? bodyBytesDefault, msMax: bodyMsMax };
  const bytes = await readJsonBody(c.env.incoming, limits);
  const parsed = spec.body.safeParse(parseJson(bytes));
  if (parsed.success) return { value: parsed.data, bytes };
  const errors = fieldErrors(parsed.error, "");
  throw new HttpProblem("invalid_body", errors[0]!.message, {
    field: errors[0]!.field,
    remedy: "Correct the field; the API page shows a body that works.",
    errors,
  });
}

function documented(spec: RouteSpec<z.ZodObject, z.ZodType>): ReturnType<typeof createRoute> {
  const parameters = [...spec.path.matchAll(/\{(\w+)\}/g)].map((match) => ({
    name: match[1]!,
    in: "path" as const,
    required: true,
    schema: { type: "string" as const },
  }));
  const headers = Object.entries(spec.headers ?? {}).map(([name, description]) => ({
    name,
    in: "header" as const,
    required: false,
    description,
    schema: { type: "string" as const },
  }));
  return createRoute({
    method: spec.method,
    path: spec.path,
    tags: [spec.tag],
    summary: spec.summary,
    description: spec.description,
    parameters: [...parameters, ...headers],
    security: spec.scope === undefined ? undefined : [{ bearer: [spec.scope] }, { session: [] }],
    request: {
      query: spec.query,
      body: spec.body && { required: true, content: { "application/json": { schema: spec.body } } },
    },
    responses: { ...documentedAnswers(spec.answers), ...documentedProblems(spec.problems ?? []) },
  });
}

function documentedAnswers(answers: Record<number, Answer>) {
  const entries = Object.entries(answers).map(([status, { description, schema, mediaType }]) => {
    const media = schema === undefined ? { schema: { type: "string" as const } } : { schema };
    const content =
      schema === undefined && mediaType === undefined ? undefined : { [mediaType ?? "application/json"]: media };
    return [status, content === undefined ? { description } : { description, content }] as const;
  });
  return Object.fromEntries(entries);
}

/** One entry a status; it names the codes that come with it. */
function documentedProblems(codes: readonly ProblemCode[]) {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const [status] = problemTable[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      status,
      {
        description: of.map((code) => `\`${code}\`: ${problemTable[code][1]}.`).join(" "),
        content: { "application/problem+json": { schema: problemSchema } },
      },
    ]),
  );
}
