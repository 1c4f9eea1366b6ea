import { createHash } from "node:crypto";
import type { Blobs } from "./blobs.ts";

/** Blobs that live as long as the process: for tests and benchmarks. */
export class MemoryBlobs implements Blobs {
  readonly #blobs = new Map<string, Uint8Array>();

  async put(bytes: Uint8Array): Promise<string> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.#blobs.set(sha256, Uint8Array.from(bytes));
    return sha256;
  }

  async get(sha256: string): Promise<Uint8Array | null> {
    const bytes = this.#blobs.get(sha256);
    return bytes ? Uint8Array.from(bytes) : null;
  }

  async has(sha256: string): Promise<boolean> {
    return this.#blobs.has(sha256);
  }
}
