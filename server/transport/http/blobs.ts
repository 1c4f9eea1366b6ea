/**
 * `GET /b/<sha256>`: bytes by their hash, for a node that computes with them (its session's token says so), for who owns
 * the job, and for all where the owner said so. Others are told that there is nothing.
 */
import type { Hono } from "hono";
import { sessionHeader } from "../../../protocol/version.ts";
import type { Access } from "../../access/access.ts";
import { anonymous } from "../../access/caller.ts";
import type { Grid } from "../grid.ts";
import type { HttpEnv } from "./api.ts";
import { type BlobSender, noSuchBlob } from "./blob-sender.ts";
import { IncomingFacts } from "./facts.ts";
import { blobHeaders, immutable } from "./headers.ts";

export function blobRoutes(
  app: Hono<HttpEnv>,
  grid: Grid,
  access: Access,
  senders: Record<"blobs" | "files", BlobSender>,
): void {
  app.get("/b/:sha256", async (c) => {
    const sha256 = c.req.param("sha256");
    const token = c.req.header(sessionHeader) ?? null;
    // Who asks is looked up only where a node's token does not do: a thousand nodes come at once.
    const shelf =
      grid.shelfOf(sha256, token, anonymous) ??
      grid.shelfOf(sha256, null, await access.caller(new IncomingFacts(c.env.incoming)));
    if (shelf === null) throw noSuchBlob();
    // Shared caches do not know who may read it.
    const caching = shelf === "files" ? "public, no-cache" : immutable.replace("public", "private");
    return senders[shelf].send(c, sha256, { ...blobHeaders(sha256.slice(0, 64)), "cache-control": caching });
  });
}
