/**
 * Secrets: made from 256 random bits, kept as SHA-256, compared in constant time. A slow hash is for
 * secrets that people choose; one of 256 bits cannot be guessed, however fast the hash.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

export const sha256 = (bytes: string | Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** 43 characters of base64url. */
export const randomSecret = (): string => randomBytes(32).toString("base64url");

/** Equal length is no secret: both are digests. */
export const sameDigest = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);

/** Compares digests, so that neither length nor content of the expected secret leaks by time. */
export const sameSecret = (given: string, expected: string): boolean => sameDigest(sha256(given), sha256(expected));
