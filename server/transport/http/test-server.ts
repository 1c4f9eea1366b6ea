/** A real server over a fake grid, for tests: loopback, ephemeral port. */

import type { AddressInfo } from "node:net";
import { Access, type AccessOptions } from "../../access/access.ts";
import { Keyring } from "../../access/keyring.ts";
import { FakeGrid } from "../fake-grid.ts";
import type { GridScaler } from "../scaler.ts";
import { SseHub, type SseLimits, sseLimitsDefault } from "../sse.ts";
import { createApp } from "./app.ts";
import { askSocketOwner } from "./facts.ts";
import { httpServer } from "./listen.ts";
import { createMetrics } from "./metrics.ts";

export const operatorToken = "operator-token-of-the-tests-0123456789";

export interface TestServer {
  grid: FakeGrid;
  access: Access;
  sse: SseHub;
  url: string;
  port: number;
  printed: string[];
  defects: unknown[];
  /** fetch with path; JSON body when given. */
  ask(path: string, init?: RequestInit & { json?: unknown }): Promise<Response>;
  close(): Promise<void>;
}

export interface TestOptions {
  access?: Partial<AccessOptions>;
  sse?: Partial<SseLimits>;
  pagesDir?: string;
  workerFile?: string;
  cliFile?: string;
  sdkFile?: string;
  scaler?: GridScaler;
}

export async function testServer(options: TestOptions = {}): Promise<TestServer> {
  const grid = new FakeGrid();
  const printed: string[] = [];
  const defects: unknown[] = [];
  const access = new Access(
    {
      operatorToken,
      publicUrl: null,
      allowedHosts: [],
      trustedProxies: [],
      tls: false,
      service: false,
      now: Date.now,
      print: (line) => printed.push(line),
      askOwner: askSocketOwner(),
      ownUid: process.getuid?.() ?? null,
      ...options.access,
    },
    new Keyring(grid.keys, Date.now),
  );
  const sse = new SseHub({ ...sseLimitsDefault, ...options.sse });
  const metrics = createMetrics({ grid, sse, sockets: () => 0, scaler: options.scaler ?? null });
  const built = {
    pagesDir: options.pagesDir ?? "/nonexistent",
    workerFile: options.workerFile ?? "/nonexistent/worker.mjs",
    cliFile: options.cliFile ?? "/nonexistent/queztl.mjs",
    sdkFile: options.sdkFile ?? "/nonexistent/queztl-sdk.mjs",
  };
  const publicUrl = options.access?.publicUrl ?? null;
  const report = (error: unknown): void => void defects.push(error);
  const app = createApp({
    ...{ grid, access, built, metrics, sse, publicUrl, report },
    ...(options.scaler ? { scaler: options.scaler } : {}),
    version: "1.2.0",
    tls: false,
  });
  const server = httpServer(app).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const ask: TestServer["ask"] = (path, { json, ...init } = {}) =>
    fetch(url + path, {
      ...init,
      ...(json === undefined ? {} : { method: init.method ?? "POST", body: JSON.stringify(json) }),
      headers: { ...(json === undefined ? {} : { "content-type": "application/json" }), ...init.headers },
    });
  const close = async (): Promise<void> => {
    sse.close();
    metrics.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { grid, access, sse, url, port, printed, defects, ask, close };
}
