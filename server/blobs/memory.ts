import { createHash } from "node:crypto";
import { assertExpected, type Blobs, type Expected, type Stat } from "./blobs.ts";

interface Held {
  bytes: Uint8Array;
  atMs: number;
}

const pieceBytes = 64 << 10;

/** Blobs that live as long as the process: for tests and benchmarks. */
export class MemoryBlobs implements Blobs {
  readonly #blobs = new Map<string, Held>();

  async put(bytes: Uint8Array): Promise<string> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.#blobs.set(sha256, { bytes: Uint8Array.from(bytes), atMs: Date.now() });
    return sha256;
  }

  async putStream(source: AsyncIterable<Uint8Array>, expected: Expected): Promise<Stat> {
    const hash = createHash("sha256");
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of source) {
      bytes += piece.length;
      assertExpected(expected, bytes);
      hash.update(piece);
      pieces.push(Uint8Array.from(piece));
    }
    const sha256 = hash.digest("hex");
    assertExpected(expected, bytes, sha256);
    const held = { bytes: new Uint8Array(Buffer.concat(pieces)), atMs: Date.now() };
    this.#blobs.set(sha256, held);
    return { sha256, bytes, atMs: held.atMs };
  }

  async get(sha256: string): Promise<Uint8Array | null> {
    const held = this.#blobs.get(sha256);
    return held ? Uint8Array.from(held.bytes) : null;
  }

  async has(sha256: string): Promise<boolean> {
    return this.#blobs.has(sha256);
  }

  async stat(sha256: string): Promise<Stat | null> {
    const held = this.#blobs.get(sha256);
    return held ? { sha256, bytes: held.bytes.length, atMs: held.atMs } : null;
  }

  async read(sha256: string, lo: number, hi: number): Promise<AsyncIterable<Uint8Array> | null> {
    const held = this.#blobs.get(sha256);
    return held ? pieces(held.bytes.slice(lo, hi)) : null;
  }

  async *list(): AsyncIterable<Stat> {
    for (const [sha256, { bytes, atMs }] of [...this.#blobs]) yield { sha256, bytes: bytes.length, atMs };
  }

  async delete(sha256: string): Promise<boolean> {
    return this.#blobs.delete(sha256);
  }
}

async function* pieces(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}
