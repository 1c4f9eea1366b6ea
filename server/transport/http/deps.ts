/** What the routes are given. */
import type { Access } from "../../access/access.ts";
import type { Grid } from "../grid.ts";
import type { GridScaler } from "../scaler.ts";
import type { SseHub } from "../sse.ts";
import type { Api } from "./api.ts";
import type { BlobSender } from "./blob-sender.ts";

export interface RouteDeps {
  api: Api;
  grid: Grid;
  /** Sends what is of its owner alone. */
  files: BlobSender;
  access: Access;
  sse: SseHub;
  /** Null where no instances are launched. */
  scaler: GridScaler | null;
  /** Hosts that webhooks may go to, as `host` or `host:port`. */
  webhookHosts: readonly string[];
  /** Where strangers reach this coordinator; null on a machine of its own. */
  publicUrl: URL | null;
}
