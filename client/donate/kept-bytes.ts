/**
 * Kernels and blobs, kept between visits in the browser's Cache Storage, where there is one (not on plain http). Their names
 * are their hashes: they never change, and what was kept is checked like what was fetched. When the browser has no more room,
 * the oldest go, and in the end nothing is kept: that costs a download, not a grain.
 */
const cacheName = "queztl.bytes.v1";
export const entriesMax = 64;
/** Larger ones would push out everything else. */
export const entryBytesMax = 32 << 20;

type Storage = Pick<CacheStorage, "open">;

export class KeptBytes {
  #cache: Promise<Cache | null> | null = null;

  constructor(private readonly storage: Storage | undefined) {}

  async get(path: string): Promise<Uint8Array<ArrayBuffer> | null> {
    const found = await (await this.#open())?.match(path).catch(() => undefined);
    return found ? new Uint8Array(await found.arrayBuffer()) : null;
  }

  /** Never rejects. */
  async put(path: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const cache = await this.#open();
    if (!cache || bytes.length > entryBytesMax) return;
    try {
      // In the order in which they came.
      const paths = await cache.keys();
      for (const oldest of paths.slice(0, Math.max(0, paths.length + 1 - entriesMax))) await cache.delete(oldest);
      await cache.put(path, new Response(bytes)).catch(async (error: unknown) => {
        if (!isQuota(error)) throw error;
        for (const oldest of paths.slice(0, Math.ceil(paths.length / 2))) await cache.delete(oldest);
        await cache.put(path, new Response(bytes));
      });
    } catch {
      // There is no room, or the owner allows no storage: it is fetched again next time.
    }
  }

  async delete(path: string): Promise<void> {
    await (await this.#open())?.delete(path).catch(() => false);
  }

  #open(): Promise<Cache | null> {
    this.#cache ??= (async () => (await this.storage?.open(cacheName)) ?? null)().catch(() => null);
    return this.#cache;
  }
}

const isQuota = (error: unknown): boolean => error instanceof Error && error.name === "QuotaExceededError";
