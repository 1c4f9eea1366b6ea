/** Bytes over HTTP: kernels by hash, programs of one file, the built pages. */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { extname, join, resolve, sep } from "node:path";
import type { Hono } from "hono";
import type { Grid } from "../grid.ts";
import type { HttpContext, HttpEnv } from "./api.ts";
import { bestEncoding, type Encoding, encode } from "./encoding.ts";
import { apiHeaders, immutable, pageHeaders, revalidate } from "./headers.ts";
import { HttpProblem } from "./problems.ts";

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".mts": "text/plain; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".wasm": "application/wasm",
  ".wgsl": "text/wgsl; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
};

/** `/k/<sha256>.wasm` and `/k/<sha256>.wgsl`: their names are their contents, so they never change. */
export function kernelRoutes(app: Hono<HttpEnv>, grid: Grid): void {
  app.get("/k/:file", async (c) => {
    const [, sha256, extension] = /^([0-9a-f]{64})(\.wasm|\.wgsl)$/.exec(c.req.param("file")) ?? [];
    const bytes = sha256 === undefined ? null : await grid.kernelFile(sha256);
    if (sha256 === undefined || bytes === null) throw nothing("kernel", "Ask for the file that a lease names.");
    return content(c, sha256, bytes, types[extension!]!);
  });
}

function content(c: HttpContext, sha256: string, bytes: Uint8Array, type: string): Response {
  const headers = { ...apiHeaders, "cache-control": immutable, etag: `"${sha256}"` };
  if (matches(c, headers.etag)) return c.body(null, 304, headers);
  return c.body(bytes as Uint8Array<ArrayBuffer>, 200, { ...headers, "content-type": type });
}

const nothing = (what: string, remedy: string): HttpProblem =>
  new HttpProblem("not_found", `There is no such ${what}.`, { field: "path", remedy });

const matches = (c: HttpContext, etag: string): boolean => {
  const given = c.env.incoming.headers["if-none-match"];
  return given !== undefined && given.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
};

export interface BuiltFiles {
  /** Folder with the pages' .html files and assets/. */
  pagesDir: string;
  /** The native worker as one file. */
  workerFile: string;
  /** The command line as one file. */
  cliFile: string;
  /** The SDK as one file; its types lie beside it, in a file of the same name with `.d.mts`. */
  sdkFile: string;
}

interface Cached {
  bytes: Uint8Array<ArrayBuffer>;
  etag: string;
  mtimeMs: number;
  /** Made when first asked for; null where it would not be smaller. */
  encoded: Map<Encoding, Promise<Uint8Array<ArrayBuffer> | null>>;
}

/** Files of a build, kept in memory until they change on disk. */
class FileCache {
  private readonly files = new Map<string, Cached>();
  /** A build has some dozens of files; more than this and the oldest is read again. */
  private static readonly filesMax = 512;

  /** Null when there is no such file. */
  async get(path: string): Promise<Cached | null> {
    const info = await stat(path).catch(() => null);
    if (info === null || !info.isFile()) return null;
    const before = this.files.get(path);
    if (before?.mtimeMs === info.mtimeMs) return before;
    const read = await readFile(path).catch(() => null);
    if (read === null) return null;
    const bytes = new Uint8Array(read.buffer as ArrayBuffer, read.byteOffset, read.byteLength);
    const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 27)}"`;
    const file: Cached = { bytes, etag, mtimeMs: info.mtimeMs, encoded: new Map() };
    const oldest = this.files.size >= FileCache.filesMax ? this.files.keys().next().value : undefined;
    if (oldest !== undefined) this.files.delete(oldest);
    this.files.set(path, file);
    return file;
  }
}

function encodedOf(file: Cached, encoding: Encoding): Promise<Uint8Array<ArrayBuffer> | null> {
  let encoded = file.encoded.get(encoding);
  if (!encoded) {
    encoded = encode(file.bytes, encoding);
    file.encoded.set(encoding, encoded);
  }
  return encoded;
}

/** `/`, `/dashboard`, `/volunteers`, `/playground`, their assets, and the programs that are one file. */
export function fileRoutes(app: Hono<HttpEnv>, built: BuiltFiles): void {
  const cache = new FileCache();
  const root = resolve(built.pagesDir);
  const serve = async (c: HttpContext, path: string, missing: HttpProblem): Promise<Response> => {
    const file = await cache.get(path);
    if (file === null) throw missing;
    // Vite puts a hash of the content into the name of everything under assets/.
    const hashed = path.startsWith(join(root, "assets") + sep);
    const caching = { "cache-control": hashed ? immutable : revalidate, vary: "accept-encoding" };
    const encoding = bestEncoding(c.req.header("accept-encoding"));
    const encoded = await encodedOf(file, encoding);
    const etag = encoded ? file.etag.replace(/"$/, `-${encoding}"`) : file.etag;
    const headers = { ...pageHeaders, ...caching, etag };
    if (matches(c, etag)) return c.body(null, 304, headers);
    return c.body(encoded ?? file.bytes, 200, {
      ...headers,
      ...(encoded ? { "content-encoding": encoding } : {}),
      "content-type": types[extname(path)] ?? "application/octet-stream",
    });
  };
  const notBuilt = (what: string): HttpProblem =>
    new HttpProblem("not_built", `${what} not built.`, { remedy: "Run npm run build, or npm start, which does." });

  app.get("/", (c) => serve(c, join(root, "index.html"), notBuilt("The pages are")));
  for (const page of ["dashboard", "volunteers", "playground"])
    app.get(`/${page}`, (c) => serve(c, join(root, `${page}.html`), notBuilt("The pages are")));
  app.get("/worker.mjs", (c) => serve(c, resolve(built.workerFile), notBuilt("The native worker is")));
  app.get("/queztl.mjs", (c) => serve(c, resolve(built.cliFile), notBuilt("The command line is")));
  app.get("/queztl-sdk.mjs", (c) => serve(c, resolve(built.sdkFile), notBuilt("The SDK is")));
  const sdkTypes = built.sdkFile.replace(/\.mjs$/, ".d.mts");
  app.get("/queztl-sdk.d.mts", (c) => serve(c, resolve(sdkTypes), notBuilt("The SDK's types are")));
  app.get("/*", (c) => {
    const missing = nothing(
      "page",
      "The pages are /, /dashboard, /volunteers and /playground; the API's page is /api.",
    );
    const wanted = resolve(root, `.${decoded(c.req.path)}`);
    // What leaves the folder, or names a hidden file, is not there.
    if (!wanted.startsWith(root + sep) || /[/\\]\./.test(wanted.slice(root.length))) throw missing;
    return serve(c, wanted, missing);
  });
}

function decoded(path: string): string {
  try {
    const text = decodeURIComponent(path);
    return text.includes("\0") ? "/." : text;
  } catch {
    return "/.";
  }
}
