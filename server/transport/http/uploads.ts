/** Researchers' own files: whole, or in parts that go on after a break. */
import type { IncomingMessage } from "node:http";
import * as z from "zod";
import { isBytes } from "../../access/keyless.ts";
import type { Partial } from "../../uploads/partial.ts";
import { json } from "./api.ts";
import type { RouteDeps } from "./deps.ts";
import type { IncomingFacts } from "./facts.ts";
import { blobHeaders } from "./headers.ts";
import { HttpProblem } from "./problems.ts";

const hash = z.string().regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits, in lower case");
const uploadedSchema = z
  .object({ blob: z.string().describe("Its SHA-256: what payloads name it by."), bytes: z.number(), url: z.string() })
  .meta({ id: "Uploaded" });
const partialSchema = z
  .object({
    upload: z.string(),
    bytes: z.number(),
    offset: z.number().describe("Bytes that are here."),
    url: z.string(),
  })
  .meta({ id: "PartialUpload" });

const common = [
  "unauthenticated",
  "forbidden",
  "cross_site",
  "rate_limited",
  "storage_unavailable",
  "shutting_down",
] as const;
const bodies = [
  "not_bytes",
  "slow_body",
  "incomplete_body",
  "upload_too_large",
  "empty_upload",
  "hash_mismatch",
] as const;

/** Without a byte for so long, the request is over; an upload in parts can be gone on with. */
const quietMs = 30_000;

export function uploadRoutes(deps: RouteDeps): void {
  wholeRoute(deps);
  partRoutes(deps);
  fileRoutes(deps);
  publicRoute(deps);
}

function wholeRoute({ api, grid, access }: RouteDeps): void {
  api.route(
    {
      method: "post",
      path: "/api/v1.2/blobs",
      tag: "Files",
      summary: "Upload a file",
      description: "The body is its bytes, as `application/octet-stream`. The same bytes twice are one file.",
      scope: "submit",
      query: z.object({ sha256: hash.optional().describe("What its hash must be.") }),
      answers: { 201: { description: "Durable.", schema: uploadedSchema } },
      problems: ["invalid_query", ...common, ...bodies],
    },
    async ({ c, facts, query }) => {
      const caller = await access.require(facts, "submit");
      const done = await grid.uploads.put(
        caller.id ?? "anonymous",
        bytesOf(facts, grid.uploads.bytesMax),
        query.sha256 ?? null,
      );
      return json(c, 201, { ...done, url: urlOf(done.blob) }, { location: urlOf(done.blob) });
    },
  );
}

function partRoutes({ api, grid, access }: RouteDeps): void {
  const ownerOf = async (facts: IncomingFacts): Promise<string> =>
    (await access.require(facts, "submit")).id ?? "anonymous";
  const find = (id: string | undefined, owner: string): Partial => {
    const partial = /^[0-9a-f-]{36}$/.test(id ?? "") ? grid.uploads.find(id as string, owner) : null;
    if (partial) return partial;
    const remedy = "Begin one with POST /api/v1.2/uploads; after a day without a byte it is gone.";
    throw new HttpProblem("no_such_upload", "There is no such upload of yours.", { field: "upload", remedy });
  };
  api.route(
    {
      method: "post",
      path: "/api/v1.2/uploads",
      tag: "Files",
      summary: "Begin an upload in parts",
      description: "Then PATCH its bytes; after a break, GET says at which byte to go on.",
      scope: "submit",
      body: z.strictObject({ bytes: z.number().int().min(1), sha256: hash.optional() }),
      answers: { 201: { description: "Begun.", schema: partialSchema } },
      problems: ["malformed_json", "not_json", "invalid_body", "upload_too_large", "overloaded", ...common],
    },
    async ({ c, facts, body }) => {
      const owner = await ownerOf(facts);
      const { value } = await body();
      const partial = await grid.uploads.begin(owner, value.bytes, value.sha256 ?? null);
      return json(c, 201, partialView(partial), { location: partialView(partial).url });
    },
  );
  const path = "/api/v1.2/uploads/{upload}";
  api.route(
    {
      method: "get",
      path,
      tag: "Files",
      summary: "At which byte an upload is",
      scope: "submit",
      answers: { 200: { description: "The upload.", schema: partialSchema } },
      problems: ["no_such_upload", ...common],
    },
    async ({ c, facts }) => {
      const partial = find(c.req.param("upload"), await ownerOf(facts));
      return json(c, 200, partialView(partial), { "upload-offset": String(partial.offset) });
    },
  );
  api.route(
    {
      method: "patch",
      path,
      tag: "Files",
      summary: "Go on with an upload",
      description:
        "The body is what follows byte `Upload-Offset`. With the last byte the file is made, and named by its hash.",
      scope: "submit",
      headers: { "Upload-Offset": "Bytes that were sent before." },
      answers: {
        200: { description: "Taken in; more is due.", schema: partialSchema },
        201: { description: "Whole, and durable.", schema: uploadedSchema },
      },
      problems: ["no_such_upload", "invalid_header", "upload_conflict", ...common, ...bodies],
    },
    async ({ c, facts }) => {
      const partial = find(c.req.param("upload"), await ownerOf(facts));
      const offset = facts.header("upload-offset") ?? "";
      if (!/^\d{1,15}$/.test(offset)) {
        const remedy = `Send "Upload-Offset: ${partial.offset}" and what follows that byte.`;
        throw new HttpProblem("invalid_header", "Upload-Offset says how many bytes were sent before.", {
          field: "header Upload-Offset",
          remedy,
        });
      }
      const done = await grid.uploads.append(partial, Number(offset), bytesOf(facts, grid.uploads.bytesMax));
      if (done) return json(c, 201, { ...done, url: urlOf(done.blob) }, { location: urlOf(done.blob) });
      return json(c, 200, partialView(partial), { "upload-offset": String(partial.offset) });
    },
  );
  api.route(
    {
      method: "delete",
      path,
      tag: "Files",
      summary: "Give an upload up",
      scope: "submit",
      answers: { 200: { description: "It is gone.", schema: partialSchema } },
      problems: ["no_such_upload", ...common],
    },
    async ({ c, facts }) => {
      const partial = find(c.req.param("upload"), await ownerOf(facts));
      await grid.uploads.abandon(partial);
      return json(c, 200, partialView(partial));
    },
  );
}

function fileRoutes({ api, grid, access, files }: RouteDeps): void {
  const path = "/api/v1.2/blobs/{blob}";
  api.route(
    {
      method: "get",
      path,
      tag: "Files",
      summary: "A file that you uploaded",
      description: "Ranges are answered.",
      scope: "submit",
      answers: { 200: { description: "Its bytes.", mediaType: "application/octet-stream" } },
      problems: ["no_such_blob", "range_not_satisfiable", "overloaded", ...common],
    },
    async ({ c, facts }) => {
      const caller = await access.require(facts, "submit");
      const blob = c.req.param("blob") ?? "";
      if (!grid.uploads.owns(blob, caller.id ?? "anonymous")) throw noSuchBlob();
      return files.send(c, blob, { ...blobHeaders(blob), "cache-control": "private, no-cache" });
    },
  );
  api.route(
    {
      method: "delete",
      path,
      tag: "Files",
      summary: "Delete a file that you uploaded",
      description: "Its bytes stay for as long as an open job reads them.",
      scope: "submit",
      answers: { 200: { description: "It is yours no more.", schema: z.object({ blob: z.string() }) } },
      problems: ["no_such_blob", ...common],
    },
    async ({ c, facts }) => {
      const caller = await access.require(facts, "submit");
      const blob = c.req.param("blob") ?? "";
      if (!(await grid.uploads.delete(blob, caller.id ?? "anonymous"))) throw noSuchBlob();
      return json(c, 200, { blob });
    },
  );
}

function publicRoute({ api, grid, access }: RouteDeps): void {
  api.route(
    {
      method: "patch",
      path: "/api/v1.2/blobs/{blob}",
      tag: "Files",
      summary: "Let anybody read a file of yours, or nobody else",
      description: "A public one is at `/b/{blob}`, without a key, for whoever knows its hash.",
      scope: "submit",
      body: z.strictObject({ public: z.boolean() }),
      answers: {
        200: {
          description: "It is so.",
          schema: z.object({ blob: z.string(), public: z.boolean(), url: z.string() }).meta({ id: "PublicBlob" }),
        },
      },
      problems: ["malformed_json", "not_json", "invalid_body", "no_such_blob", ...common],
    },
    async ({ c, facts, body }) => {
      const caller = await access.require(facts, "submit");
      const { value } = await body();
      const blob = c.req.param("blob") ?? "";
      if (!(await grid.uploads.publish(blob, caller.id ?? "anonymous", value.public))) throw noSuchBlob();
      return json(c, 200, { blob, public: value.public, url: value.public ? `/b/${blob}` : urlOf(blob) });
    },
  );
}

const noSuchBlob = (): HttpProblem =>
  new HttpProblem("no_such_blob", "There is no such file of yours.", {
    field: "blob",
    remedy: "Upload it: POST /api/v1.2/blobs.",
  });

const urlOf = (blob: string): string => `/api/v1.2/blobs/${blob}`;
const partialView = ({ id, bytes, offset }: Partial) => ({ upload: id, bytes, offset, url: `/api/v1.2/uploads/${id}` });

/** A body's bytes as they come. Throws HttpProblem for another media type, and where it breaks off or pauses for long. */
function bytesOf(facts: IncomingFacts, bytesMax: number): AsyncIterable<Uint8Array> {
  const { incoming } = facts;
  const type = incoming.headers["content-type"];
  if (!isBytes(type)) {
    const remedy = 'Send "Content-Type: application/octet-stream", whatever the file is.';
    throw new HttpProblem(
      "not_bytes",
      `The Content-Type is ${type === undefined ? "missing" : `"${type.slice(0, 80)}"`}.`,
      { field: "header Content-Type", remedy },
    );
  }
  if (Number(incoming.headers["content-length"] ?? 0) > bytesMax) {
    const remedy = "Send a smaller one, or start the coordinator with a larger --upload-max.";
    // The rest of the body would otherwise be read as the next request's.
    throw new HttpProblem(
      "upload_too_large",
      `A file may have ${bytesMax} bytes.`,
      { field: "body", remedy },
      { connection: "close" },
    );
  }
  return pieces(incoming);
}

async function* pieces(incoming: IncomingMessage): AsyncIterable<Uint8Array> {
  let quiet = false;
  const timer = setTimeout(() => {
    quiet = true;
    incoming.destroy();
  }, quietMs);
  try {
    for await (const piece of incoming) {
      timer.refresh();
      yield piece as Buffer;
    }
  } catch (cause) {
    const remedy = "An upload in parts can be gone on with: GET says at which byte.";
    if (quiet)
      throw new HttpProblem("slow_body", `Not a byte came for ${quietMs / 1000} s.`, { field: "body", remedy });
    throw new HttpProblem("incomplete_body", `The connection broke off: ${(cause as Error).message}.`, {
      field: "body",
      remedy,
    });
  } finally {
    clearTimeout(timer);
  }
}
