/** Content-addressed bytes. A blob's name is the SHA-256 of its bytes, in hex. */
export interface Blobs {
  /** Durable when it resolves. Putting the same bytes twice is harmless. */
  put(bytes: Uint8Array): Promise<string>;
  /** Null when there is no such blob. */
  get(sha256: string): Promise<Uint8Array | null>;
  has(sha256: string): Promise<boolean>;
}
