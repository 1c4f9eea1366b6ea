/** SHA-256 in hex, by WebCrypto where the page has it. */
import { sha256Hex as byWebCrypto } from "../../agent/identity.ts";

/** Browsers withhold WebCrypto from pages over plain http, except those of their own machine. */
export const hasWebCrypto = (): boolean => globalThis.crypto?.subtle !== undefined;

export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  if (hasWebCrypto()) return byWebCrypto(bytes);
  const { sha256HexPlain } = await import("./plain-crypto.ts");
  return sha256HexPlain(bytes);
}

/** A name that nobody else has: 128 random bits in hex. `crypto.randomUUID` is for secure pages only. */
export const randomId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
