/** Kernel files and blobs of the coordinator, by hash, over HTTP; checked, and kept in memory. */
import { createHash } from "node:crypto";
import type { BlobPort } from "../agent/ports.ts";
import { sessionHeader } from "../protocol/version.ts";

const keptBytesMax = 256 << 20;
const blobBytesMax = 64 << 20;

export class HttpBlobs implements BlobPort {
  readonly #kept = new Map<string, Uint8Array>();
  readonly #coming = new Map<string, Promise<Uint8Array>>();
  #bytes = 0;

  constructor(private readonly coordinatorUrl: URL) {}

  blob(sha256: string, token: string | null): Promise<Uint8Array> {
    return this.#get(`b/${sha256}`, sha256, token === null ? {} : { [sessionHeader]: token });
  }

  kernel(sha256: string, role: "wasm" | "wgsl"): Promise<Uint8Array> {
    return this.#get(`k/${sha256}.${role}`, sha256);
  }

  async sha256Hex(bytes: Uint8Array): Promise<string> {
    return createHash("sha256").update(bytes).digest("hex");
  }

  #get(path: string, sha256: string, headers: Record<string, string> = {}): Promise<Uint8Array> {
    const kept = this.#kept.get(sha256);
    if (kept) return Promise.resolve(kept);
    let coming = this.#coming.get(sha256);
    if (!coming) {
      coming = this.#fetch(path, sha256, headers).finally(() => this.#coming.delete(sha256));
      this.#coming.set(sha256, coming);
    }
    return coming;
  }

  async #fetch(path: string, sha256: string, headers: Record<string, string>): Promise<Uint8Array> {
    const signal = AbortSignal.timeout(30_000);
    const response = await fetch(new URL(path, this.coordinatorUrl), { headers, signal });
    if (!response.ok) throw new Error(`${path}: the coordinator answered ${response.status}.`);
    const bytes = await boundedBody(response, path);
    const hash = await this.sha256Hex(bytes);
    if (hash !== sha256) throw new Error(`${path} is not what its name says: its hash is ${hash}.`);
    this.#keep(sha256, bytes);
    return bytes;
  }

  #keep(sha256: string, bytes: Uint8Array): void {
    this.#kept.set(sha256, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, old] of this.#kept) {
      if (this.#bytes <= keptBytesMax) return;
      this.#kept.delete(oldest);
      this.#bytes -= old.length;
    }
  }
}

/** What the length in the header says is not relied on. */
async function boundedBody(response: Response, path: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > blobBytesMax) throw new Error(`${path} has more than ${blobBytesMax} bytes.`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks, length));
}
