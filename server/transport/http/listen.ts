/** The HTTP server beneath the app, with the limits and refusals of Node's own parser. */
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import type { HttpEnv } from "./api.ts";
import { apiHeaders } from "./headers.ts";
import { HttpProblem, problemOf } from "./problems.ts";

/** Milliseconds and bytes. A body's own deadline (30 s) comes before `requestTimeout`, and says what was wrong. */
export const listenOptions = {
  headersTimeout: 10_000,
  requestTimeout: 40_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16 << 10,
} as const;

export interface ServerOptions {
  /** PEM texts; plain HTTP without. */
  tls?: { cert: string; key: string };
  limits?: Partial<Record<keyof typeof listenOptions, number>>;
}

/** A server that does not listen yet; WebSockets join by its `upgrade` event. */
export function httpServer(app: Hono<HttpEnv>, options: ServerOptions = {}): Server {
  const listener = getRequestListener((request, env) => app.fetch(request, env as HttpEnv["Bindings"]), {
    // Reached for requests that cannot be made into one: the app turns its own errors into answers.
    errorHandler: () => {
      const { body } = problemOf(badRequest("The request's target or Host header cannot be read."));
      return new Response(JSON.stringify(body), { status: body.status, headers: problemHeaders });
    },
  });
  const limits = { ...listenOptions, ...options.limits };
  const server = options.tls
    ? createTlsServer({ ...limits, ...options.tls }, listener)
    : createServer(limits, listener);
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => refuse(error, socket));
  return server;
}

const problemHeaders = { ...apiHeaders, "content-type": "application/problem+json" };

const badRequest = (detail: string): HttpProblem =>
  new HttpProblem("bad_request", detail, {
    field: "request",
    remedy: "Send well-formed HTTP/1.1 with one Host header.",
  });

/** What Node's parser refused: too slow, too long, or no HTTP at all. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const { body } = problemOf(parserProblem(error.code));
  const text = JSON.stringify(body);
  const headers = { ...problemHeaders, connection: "close", "content-length": String(Buffer.byteLength(text)) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${body.status} ${body.title}\r\n${lines.join("")}\r\n${text}`);
  cutOff(socket);
}

const refusedMs = 1_000;

/** Who was refused and does not close its end either is cut off, lest it hold a place for ever. */
export function cutOff(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), refusedMs);
  socket.once("close", () => clearTimeout(timer));
}

function parserProblem(code: string | undefined): HttpProblem {
  if (code === "HPE_HEADER_OVERFLOW") {
    const detail = `The headers are larger than ${listenOptions.maxHeaderSize} bytes.`;
    return new HttpProblem("headers_too_large", detail, { field: "headers", remedy: "Send fewer or shorter headers." });
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return new HttpProblem("slow_body", "The request did not arrive in time.", {
      field: "request",
      remedy: "Send it faster.",
    });
  }
  return badRequest("This is not well-formed HTTP.");
}
