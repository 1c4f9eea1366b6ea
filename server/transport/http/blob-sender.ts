/** Answers with a blob: whole or in part, as fast as each client takes it, so many at a time. */
import parseRange from "range-parser";
import { isBlobName, type Stat } from "../../blobs/blobs.ts";
import type { Grid } from "../grid.ts";
import type { HttpContext } from "./api.ts";
import { HttpProblem, retryAfter } from "./problems.ts";
import { Turnstile } from "./turnstile.ts";

/** Each open read takes a file handle and some pieces of 64 KiB. */
const readsMax = 128;
/** A thousand nodes that fetch one blob wait their turn; more are sent away with the time to come back. */
const waitingMax = 4_096;

export class BlobSender {
  readonly #turnstile = new Turnstile(readsMax, waitingMax);

  constructor(private readonly blobs: Grid["blobs"]) {}

  /** Throws HttpProblem where there is no such blob. */
  async send(c: HttpContext, sha256: string, given: Record<string, string>): Promise<Response> {
    const stat = isBlobName(sha256) ? await this.blobs.stat(sha256) : null;
    if (stat === null) throw noSuchBlob();
    const headers = { ...given, etag: `"${sha256}"`, "accept-ranges": "bytes" };
    if (matches(c.req.header("if-none-match"), headers.etag)) return c.body(null, 304, headers);
    const range = rangeOf(c, stat, headers.etag);
    const [lo, hi] = range ?? [0, stat.bytes];
    const partial: Record<string, string> =
      range === null ? {} : { "content-range": `bytes ${lo}-${hi - 1}/${stat.bytes}` };
    const all = { ...headers, ...partial, "content-length": String(hi - lo) };
    const status = range === null ? 200 : 206;
    if (c.req.method === "HEAD") return c.body(null, status, all);
    return c.body(await open(c, this.blobs, this.#turnstile, sha256, lo, hi), status, all);
  }
}

/** The one range asked for. Null for the whole: none was asked for, or several, or of another version. */
function rangeOf(c: HttpContext, stat: Stat, etag: string): [lo: number, hi: number] | null {
  const asked = c.req.header("range");
  const condition = c.req.header("if-range");
  if (asked === undefined || (condition !== undefined && condition !== etag)) return null;
  const ranges = parseRange(stat.bytes, asked);
  if (ranges === -1) {
    throw new HttpProblem(
      "range_not_satisfiable",
      `The blob has ${stat.bytes} bytes.`,
      { field: "header Range", remedy: `Ask for bytes below ${stat.bytes}.` },
      { "content-range": `bytes */${stat.bytes}` },
    );
  }
  // What cannot be read is to be ignored, says RFC 9110.
  if (ranges === -2 || ranges.type !== "bytes" || ranges.length !== 1) return null;
  const [{ start, end }] = ranges as unknown as [{ start: number; end: number }];
  return [start, end + 1];
}

/** The bytes, once it is their turn; whoever goes away before makes room. */
async function open(
  c: HttpContext,
  blobs: Grid["blobs"],
  turnstile: Turnstile,
  sha256: string,
  lo: number,
  hi: number,
): Promise<ReadableStream<Uint8Array>> {
  const gone = new AbortController();
  const onClose = (): void => gone.abort();
  c.env.outgoing.once("close", onClose);
  const leave = await turnstile.enter(gone.signal).catch(() => null);
  if (leave === null) {
    const detail = `${readsMax} blobs are being read and ${waitingMax} requests wait.`;
    throw new HttpProblem("overloaded", detail, { remedy: "Come back in a while." }, retryAfter(5));
  }
  c.env.outgoing.off("close", onClose);
  // Whatever becomes of the answer, its connection or its end says when it is over.
  c.env.outgoing.once("close", leave);
  if (c.env.outgoing.destroyed) leave();
  const pieces = await blobs.read(sha256, lo, hi).catch((error: unknown) => {
    leave();
    throw error;
  });
  if (pieces === null) {
    leave();
    throw noSuchBlob();
  }
  return ReadableStream.from(pieces) as ReadableStream<Uint8Array>;
}

export const noSuchBlob = (): HttpProblem =>
  new HttpProblem("not_found", "There is no such blob.", {
    field: "path",
    remedy: "Ask for the hash that a lease or result names.",
  });

const matches = (given: string | undefined, etag: string): boolean =>
  given?.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag) ?? false;
