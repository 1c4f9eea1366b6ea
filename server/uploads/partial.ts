/** Uploads that are under way: a file that grows, and beside it what was announced. They outlive a restart. */
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { appendFile, mkdir, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface Partial {
  id: string;
  owner: string;
  /** As announced. */
  bytes: number;
  sha256: string | null;
  offset: number;
  touchedMs: number;
}

export class Partials {
  readonly #open = new Map<string, Partial>();

  constructor(private readonly folder: string) {}

  async load(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    for (const name of await readdir(this.folder)) {
      if (!name.endsWith(".json")) continue;
      const id = name.slice(0, -5);
      try {
        const told = JSON.parse(await readFile(this.#file(id, "json"), "utf8")) as Omit<
          Partial,
          "offset" | "touchedMs"
        >;
        const { size, mtimeMs } = await stat(this.#file(id, "part"));
        this.#open.set(id, { ...told, id, offset: size, touchedMs: mtimeMs });
      } catch {
        // Half begun: nobody was told of it.
        await this.#delete(id);
      }
    }
  }

  list(): readonly Partial[] {
    return [...this.#open.values()];
  }

  get(id: string): Partial | null {
    return this.#open.get(id) ?? null;
  }

  async begin(owner: string, bytes: number, sha256: string | null, nowMs: number): Promise<Partial> {
    const partial = { id: randomUUID(), owner, bytes, sha256, offset: 0, touchedMs: nowMs };
    await writeFile(this.#file(partial.id, "part"), "");
    await writeFile(this.#file(partial.id, "json"), JSON.stringify({ owner, bytes, sha256 }));
    this.#open.set(partial.id, partial);
    return partial;
  }

  /** What arrives is kept, also of a source that breaks off, whose error is passed on. Nothing goes past what was announced. */
  async append(partial: Partial, source: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of source) {
      const room = partial.bytes - partial.offset;
      const taken = piece.subarray(0, room);
      await appendFile(this.#file(partial.id, "part"), taken);
      partial.offset += taken.length;
      partial.touchedMs = Date.now();
      if (taken.length < piece.length) throw new RangeError("more bytes than were announced");
    }
    const handle = await open(this.#file(partial.id, "part"), "r+");
    await handle.sync();
    await handle.close();
  }

  read(id: string): AsyncIterable<Uint8Array> {
    return createReadStream(this.#file(id, "part"));
  }

  async end(id: string): Promise<void> {
    this.#open.delete(id);
    await this.#delete(id);
  }

  async #delete(id: string): Promise<void> {
    await rm(this.#file(id, "json"), { force: true });
    await rm(this.#file(id, "part"), { force: true });
  }

  #file(id: string, kind: "json" | "part"): string {
    return join(this.folder, `${id}.${kind}`);
  }
}
