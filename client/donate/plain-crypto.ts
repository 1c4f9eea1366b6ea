/**
 * Ed25519 (RFC 8032) and SHA-256 in plain script, by @noble/curves and @noble/hashes. Loaded only where the browser has
 * none of its own: pages over plain http, and browsers from before Ed25519 in WebCrypto.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/** 32 random bytes: the private key. */
export const makeSeed = (): Uint8Array => ed25519.utils.randomSecretKey();
export const publicKeyOf = (seed: Uint8Array): Uint8Array => ed25519.getPublicKey(seed);
export const sign = (bytes: Uint8Array, seed: Uint8Array): Uint8Array => ed25519.sign(bytes, seed);
export const sha256HexPlain = (bytes: Uint8Array): string => bytesToHex(sha256(bytes));
