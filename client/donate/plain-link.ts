/** PBKDF2, HKDF and AES-GCM in plain script, by @noble: for pages over plain http, loaded when an identity is moved. */
import { gcm } from "@noble/ciphers/aes.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { pbkdf2Async } from "@noble/hashes/pbkdf2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { LinkCrypto } from "./link-code.ts";

export const plainLinkCrypto: LinkCrypto = {
  pbkdf2: (password, salt, rounds) => pbkdf2Async(sha256, password, salt, { c: rounds, dkLen: 32 }),
  hkdf: async (secret, info, bytes) => hkdf(sha256, secret, undefined, new TextEncoder().encode(info), bytes),
  seal: async (key, nonce, plain) => gcm(key, nonce).encrypt(plain),
  open: async (key, nonce, sealed) => gcm(key, nonce).decrypt(sealed),
};
