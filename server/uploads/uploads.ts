/** Researchers' own files: taken in whole or in parts, owned by who sent them, and deleted when nobody needed them for long. */
import { mkdtempSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlobError, type Blobs } from "../blobs/blobs.ts";
import { sweepBlobs } from "../blobs/sweep.ts";
import type { Write } from "../store/store.ts";
import { GridError } from "../transport/grid.ts";
import { type Partial, Partials } from "./partial.ts";

export interface UploadLimits {
  /** Of one file. */
  bytesMax: number;
  /** Files are kept so long after they were last put or used. */
  keepMs: number;
}

export const uploadLimitsDefault: UploadLimits = { bytesMax: 1 << 30, keepMs: 30 * 86_400_000 };

export interface UploadPorts extends UploadLimits {
  blobs: Blobs;
  /** For what is under way; a temporary one where it is left out. */
  folder?: string | undefined;
  documents(room: string): Promise<{ key: string; value: string }[]>;
  written(writes: readonly Write[]): Promise<void>;
  /** Blobs that open jobs read. */
  inUse(): ReadonlySet<string>;
  /** Of the disk; the folder's own where it is left out. */
  freeBytes?(): Promise<number>;
  now(): number;
}

export interface Uploaded {
  blob: string;
  bytes: number;
}

const room = "uploads";
const publicRoom = "public-uploads";
const underWayMax = 256;
const underWayOfOwnerMax = 16;
/** Uploads leave the record this much of the disk. */
const freeBytesMin = 2 ** 29;
/** Of an upload that nobody goes on with. */
const abandonedMs = 24 * 3_600_000;

export class Uploads {
  readonly #folder: string;
  readonly #partials: Partials;
  /** By blob. */
  readonly #owners = new Map<string, Set<string>>();
  /** Blobs that anybody may read. */
  readonly #public = new Set<string>();
  /** Uploads that are being written now. */
  readonly #busy = new Set<string>();

  constructor(private readonly ports: UploadPorts) {
    this.#folder = ports.folder ?? mkdtempSync(join(tmpdir(), "queztl-uploads-"));
    this.#partials = new Partials(this.#folder);
  }

  get bytesMax(): number {
    return this.ports.bytesMax;
  }

  async load(): Promise<void> {
    await this.#partials.load();
    this.#owners.clear();
    for (const { key, value } of await this.ports.documents(room)) {
      this.#owners.set(key, new Set(JSON.parse(value) as string[]));
    }
    this.#public.clear();
    for (const { key } of await this.ports.documents(publicRoom)) this.#public.add(key);
  }

  isPublic(blob: string): boolean {
    return this.#public.has(blob);
  }

  /** Lets anybody read it who knows its hash, or its owners only. False where it is none of this owner's. */
  async publish(blob: string, owner: string, isPublic: boolean): Promise<boolean> {
    if (!this.owns(blob, owner)) return false;
    if (this.isPublic(blob) !== isPublic) await this.#recordPublic(blob, isPublic);
    return true;
  }

  owns(blob: string, owner: string): boolean {
    return this.#owners.get(blob)?.has(owner) ?? false;
  }

  /** A whole file. Throws GridError, and what `source` throws. */
  async put(owner: string, source: AsyncIterable<Uint8Array>, sha256: string | null): Promise<Uploaded> {
    await this.#assertRoom(0);
    const expected = { bytesMax: this.ports.bytesMax, ...(sha256 === null ? {} : { sha256 }) };
    try {
      const stat = await this.ports.blobs.putStream(notEmpty(source), expected);
      await this.#own(stat.sha256, owner);
      return { blob: stat.sha256, bytes: stat.bytes };
    } catch (error) {
      throw refusalOf(error, this.ports.bytesMax);
    }
  }

  /** Begins an upload in parts. Throws GridError. */
  async begin(owner: string, bytes: number, sha256: string | null): Promise<Partial> {
    if (bytes > this.ports.bytesMax) throw tooLarge(this.ports.bytesMax);
    await this.#assertRoom(bytes);
    await this.#dropAbandoned();
    const open = this.#partials.list();
    const own = open.filter((partial) => partial.owner === owner).length;
    if (open.length >= underWayMax || own >= underWayOfOwnerMax) {
      throw new GridError("overloaded", `${own} of your uploads are under way, and ${open.length} in all.`, {
        remedy: "Finish or delete some: DELETE /api/v1.2/uploads/{id}.",
        retryAfterSeconds: 60,
      });
    }
    return this.#partials.begin(owner, bytes, sha256, this.ports.now());
  }

  /** Null where there is none of this owner. */
  find(id: string, owner: string): Partial | null {
    const partial = this.#partials.get(id);
    return partial?.owner === owner ? partial : null;
  }

  /** Takes what comes from `offset` on; answers the finished file once all is there. Throws GridError, and what `source` throws. */
  async append(partial: Partial, offset: number, source: AsyncIterable<Uint8Array>): Promise<Uploaded | null> {
    if (this.#busy.has(partial.id)) {
      throw new GridError("upload_conflict", "Another request writes to this upload.", {
        remedy: "Wait for it, then ask for the offset.",
      });
    }
    if (offset !== partial.offset) {
      throw new GridError("upload_conflict", `The upload is at byte ${partial.offset}, not ${offset}.`, {
        field: "header Upload-Offset",
        remedy: `Send what follows byte ${partial.offset}.`,
      });
    }
    this.#busy.add(partial.id);
    try {
      await this.#partials.append(partial, source);
      if (partial.offset < partial.bytes) return null;
      const done = await this.put(partial.owner, this.#partials.read(partial.id), partial.sha256);
      await this.#partials.end(partial.id);
      return done;
    } catch (error) {
      // What has another hash will not come right by sending more.
      if (error instanceof GridError) await this.#partials.end(partial.id);
      if (error instanceof RangeError) {
        throw new GridError("upload_conflict", `The upload was announced with ${partial.bytes} bytes, and more came.`, {
          remedy: "Begin another with the right size.",
        });
      }
      throw error;
    } finally {
      this.#busy.delete(partial.id);
    }
  }

  async abandon(partial: Partial): Promise<void> {
    if (!this.#busy.has(partial.id)) await this.#partials.end(partial.id);
  }

  /** False where it is none of this owner's. The bytes go once nobody owns or uses them. */
  async delete(blob: string, owner: string): Promise<boolean> {
    const owners = this.#owners.get(blob);
    if (!owners?.has(owner)) return false;
    const left = [...owners].filter((other) => other !== owner);
    await this.#record(blob, left);
    if (left.length === 0 && !this.ports.inUse().has(blob)) await this.ports.blobs.delete(blob);
    return true;
  }

  /** Deletes what nobody put or used for long. Answers how many. */
  async sweep(): Promise<number> {
    await this.#dropAbandoned();
    const before = this.ports.now() - this.ports.keepMs;
    const swept = await sweepBlobs(this.ports.blobs, before, this.ports.inUse());
    for (const blob of this.#owners.keys()) if (!(await this.ports.blobs.has(blob))) await this.#record(blob, []);
    return swept;
  }

  async #assertRoom(bytes: number): Promise<void> {
    const free = await (this.ports.freeBytes?.() ?? freeBytesOf(this.#folder));
    if (free - bytes >= freeBytesMin) return;
    throw new GridError("storage_unavailable", `Only ${Math.floor(free / 2 ** 20)} MiB of the disk are free.`, {
      remedy: "Ask the operator for room, or send a smaller file.",
      retryAfterSeconds: 60,
    });
  }

  async #dropAbandoned(): Promise<void> {
    const before = this.ports.now() - abandonedMs;
    for (const { id, touchedMs } of this.#partials.list()) {
      if (touchedMs < before && !this.#busy.has(id)) await this.#partials.end(id);
    }
  }

  async #own(blob: string, owner: string): Promise<void> {
    const owners = this.#owners.get(blob) ?? new Set();
    if (!owners.has(owner)) await this.#record(blob, [...owners, owner]);
  }

  async #recordPublic(blob: string, isPublic: boolean): Promise<void> {
    await this.ports.written([{ type: "document.put", room: publicRoom, key: blob, value: isPublic ? "1" : null }]);
    if (isPublic) this.#public.add(blob);
    else this.#public.delete(blob);
  }

  async #record(blob: string, owners: readonly string[]): Promise<void> {
    const value = owners.length === 0 ? null : JSON.stringify(owners);
    await this.ports.written([{ type: "document.put", room, key: blob, value }]);
    if (value === null && this.isPublic(blob)) await this.#recordPublic(blob, false);
    if (value === null) this.#owners.delete(blob);
    else this.#owners.set(blob, new Set(owners));
  }
}

async function* notEmpty(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let bytes = 0;
  for await (const piece of source) {
    bytes += piece.length;
    yield piece;
  }
  if (bytes === 0)
    throw new GridError("empty_upload", "The file is empty.", { field: "body", remedy: "Send its bytes." });
}

/** Without end where the system does not tell. */
const freeBytesOf = (folder: string): Promise<number> =>
  statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => Number.POSITIVE_INFINITY,
  );

const tooLarge = (bytesMax: number): GridError =>
  new GridError("upload_too_large", `A file may have ${bytesMax} bytes.`, {
    field: "body",
    remedy: "Send a smaller one, or start the coordinator with a larger --upload-max.",
  });

function refusalOf(error: unknown, bytesMax: number): unknown {
  if (!(error instanceof BlobError)) return error;
  if (error.code === "too_large") return tooLarge(bytesMax);
  return new GridError("hash_mismatch", error.message, {
    field: "sha256",
    remedy: "Send it again: it changed on its way.",
  });
}
