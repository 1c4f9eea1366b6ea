/** Bytes of files in the encodings that browsers take: pages are a quarter of their size on the way. */
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

export type Encoding = "br" | "gzip" | "identity";

const toBrotli = promisify(brotliCompress);
const toGzip = promisify(gzip);

/** Smaller ones would grow, or fit into the same packet anyway. */
const bytesMin = 1_024;
/** Of 0 to 11: 11 takes ten times as long for a twentieth less. */
const brotliQuality = 9;

/** The best that an Accept-Encoding header allows (RFC 9110, 12.5.3); weights other than 0 are not told apart. */
export function bestEncoding(accepted: string | undefined): Encoding {
  const weights = new Map<string, number>();
  for (const item of (accepted ?? "").slice(0, 500).split(",")) {
    const [name = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
    weights.set(name, weight === undefined ? 1 : Number(weight));
  }
  const takes = (name: string): boolean => (weights.get(name) ?? weights.get("*") ?? 0) > 0;
  return takes("br") ? "br" : takes("gzip") ? "gzip" : "identity";
}

/** Null where the encoding does not pay. */
export async function encode(bytes: Uint8Array, encoding: Encoding): Promise<Uint8Array<ArrayBuffer> | null> {
  if (encoding === "identity" || bytes.length < bytesMin) return null;
  const encoded =
    encoding === "br"
      ? await toBrotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: brotliQuality } })
      : await toGzip(bytes, { level: 9 });
  return encoded.length < bytes.length ? new Uint8Array(encoded) : null;
}
