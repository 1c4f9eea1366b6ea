/** Content-addressed bytes. A blob's name is the SHA-256 of its bytes, in hex. */
export interface Blobs {
  /** Durable when it resolves. Putting the same bytes twice is harmless. */
  put(bytes: Uint8Array): Promise<string>;
  /**
   * The same for bytes that come in pieces, of which few are in memory at a time. Throws BlobError where they are not
   * what was announced, and whatever `source` throws; nothing is kept then.
   */
  putStream(source: AsyncIterable<Uint8Array>, expected: Expected): Promise<Stat>;
  /** Null when there is no such blob. Throws when the bytes are not what their name says. */
  get(sha256: string): Promise<Uint8Array | null>;
  has(sha256: string): Promise<boolean>;
  /** Null when there is no such blob. */
  stat(sha256: string): Promise<Stat | null>;
  /**
   * Bytes `lo` to before `hi`, in pieces, as fast as they are taken; less where the blob is shorter. A part cannot be
   * held against the name: whoever puts it together does that. Null when there is no such blob.
   */
  read(sha256: string, lo: number, hi: number): Promise<AsyncIterable<Uint8Array> | null>;
  /** All that there are, in no order; those that come and go meanwhile may be missing. */
  list(): AsyncIterable<Stat>;
  /** False when there was no such blob. */
  delete(sha256: string): Promise<boolean>;
}

export interface Stat {
  sha256: string;
  bytes: number;
  /** When it was last put. */
  atMs: number;
}

export interface Expected {
  bytesMax: number;
  /** The name that the bytes must turn out to have, if it was said before. */
  sha256?: string;
}

export class BlobError extends Error {
  override name = "BlobError";
  constructor(
    readonly code: "too_large" | "other_hash",
    message: string,
  ) {
    super(message);
  }
}

const pieceBytes = 256 << 10;

/** For `putStream`: to hash many megabytes at once would hold up everybody else. */
export async function* pieces(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** Parts of blobs, whole in memory. Rejects where there is none, or it is shorter. */
export const fileReader = (blobs: Blobs) => ({
  async read(sha256: string, lo: number, hi: number): Promise<Uint8Array> {
    const source = await blobs.read(sha256, lo, hi);
    if (!source) throw new Error(`There is no blob ${sha256}.`);
    const all = new Uint8Array(hi - lo);
    let at = 0;
    for await (const piece of source) {
      all.set(piece, at);
      at += piece.length;
    }
    if (at !== hi - lo) throw new Error(`Blob ${sha256} ends before byte ${hi}.`);
    return all;
  },
});

export const isBlobName = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);

/** Throws BlobError unless the bytes may still be, and in the end are, what was expected of them. */
export function assertExpected(expected: Expected, bytes: number, sha256?: string): void {
  if (bytes > expected.bytesMax) throw new BlobError("too_large", `There are more than ${expected.bytesMax} bytes.`);
  if (sha256 !== undefined && expected.sha256 !== undefined && expected.sha256 !== sha256) {
    throw new BlobError("other_hash", `The bytes have the SHA-256 ${sha256}, not ${expected.sha256}.`);
  }
}
