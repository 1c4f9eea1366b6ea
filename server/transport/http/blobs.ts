/** `GET /b/<sha256>`: bytes by their hash. */
import type { Hono } from "hono";
import type { HttpEnv } from "./api.ts";
import type { BlobSender } from "./blob-sender.ts";
import { blobHeaders, immutable } from "./headers.ts";

export function blobRoutes(app: Hono<HttpEnv>, sender: BlobSender): void {
  app.get("/b/:sha256", (c) => {
    const sha256 = c.req.param("sha256");
    return sender.send(c, sha256, { ...blobHeaders(sha256.slice(0, 64)), "cache-control": immutable });
  });
}
