/** A file to the coordinator, in parts that go on where a line was cut. */
import type { Http } from "./http.ts";
import { GridProblem, invalidArgument } from "./problem.ts";
import type { CallOptions } from "./types.ts";

export interface Uploaded {
  /** The file's SHA-256: what payloads name it by. */
  blob: string;
  bytes: number;
}

export interface UploadOptions extends CallOptions {
  /** Told after each part. */
  onProgress?: (sent: number, bytes: number) => void;
}

interface Partial {
  url: string;
  offset: number;
}

const partBytes = 4 << 20;
/** Of one upload: each time it goes on from where the coordinator says it is. */
const breaksMax = 64;

/** Throws GridProblem. */
export async function upload(
  http: Http,
  file: Blob | Uint8Array,
  { onProgress, signal }: UploadOptions = {},
): Promise<Uploaded> {
  const source = file instanceof Uint8Array ? new Blob([file as Uint8Array<ArrayBuffer>]) : file;
  if (source.size === 0) throw invalidArgument("file", "The file is empty", "Give one that has bytes");
  const begun = await http.json<Partial>({
    method: "POST",
    path: "/api/v1.2/uploads",
    body: JSON.stringify({ bytes: source.size }),
    signal,
  });
  const { url } = begun.value;
  let { offset } = begun.value;
  for (let breaks = 0; ; ) {
    const body = new Uint8Array(await source.slice(offset, offset + partBytes).arrayBuffer());
    const headers = { "upload-offset": String(offset) };
    try {
      const { value } = await http.json<Partial | Uploaded>({ method: "PATCH", path: url, body, headers, signal });
      if ("blob" in value) {
        onProgress?.(source.size, source.size);
        return { blob: value.blob, bytes: value.bytes };
      }
      offset = value.offset;
      onProgress?.(offset, source.size);
    } catch (error) {
      // A part that was cut off within is here to some byte; the same part again is at the wrong one.
      if (!(error instanceof GridProblem) || error.code !== "upload_conflict" || ++breaks > breaksMax) throw error;
      ({ offset } = (await http.json<Partial>({ path: url, signal })).value);
    }
  }
}
