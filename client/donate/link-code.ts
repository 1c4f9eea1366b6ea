/**
 * A portable identity on its way to another device. It is sealed under a code that its owner reads on one screen and types on the
 * other; the coordinator keeps the sealed bytes for some minutes, under a name that also comes from the code, and sees
 * neither. Whoever wanted to open them without the code would have 2^60 to try, each with 600,000 rounds of PBKDF2.
 */
import { hasWebCrypto } from "./hash.ts";

/** Crockford's base 32: no I, L, O or U, which are read wrongly. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const codeCharacters = 12;
/** As OWASP's password storage cheat sheet asks of PBKDF2-HMAC-SHA256. */
export const linkRounds = 600_000;
const salt = new TextEncoder().encode("queztl identity link 1");
const nonceBytes = 12;
const seedBytes = 32;

export interface LinkKeys {
  /** 32 hex digits: where the sealed bytes lie. */
  name: string;
  /** 32 bytes, for AES-256-GCM. */
  key: Uint8Array;
}

/** The primitives that differ between WebCrypto and plain script. */
export interface LinkCrypto {
  pbkdf2(password: Uint8Array, salt: Uint8Array, rounds: number): Promise<Uint8Array>;
  /** HKDF-SHA256 without a salt. */
  hkdf(secret: Uint8Array, info: string, bytes: number): Promise<Uint8Array>;
  seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Promise<Uint8Array>;
  /** Rejects where the bytes were not sealed with this key. */
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Promise<Uint8Array>;
}

/** As "K7QF-2MWT-9XHB". */
export function makeCode(): string {
  const symbols = Array.from(crypto.getRandomValues(new Uint8Array(codeCharacters)), (byte) => alphabet[byte % 32]);
  return symbols.join("").replace(/(.{4})(?=.)/g, "$1-");
}

/** What the owner typed, as the other device wrote it; throws with a sentence where it cannot be a code. */
export function readCode(text: string): string {
  const code = text.toUpperCase().replaceAll("O", "0").replace(/[IL]/g, "1").replace(/[\s-]/g, "");
  if (code.length !== codeCharacters || [...code].some((symbol) => !alphabet.includes(symbol)))
    throw new Error(`A code has ${codeCharacters} letters and digits, as K7QF-2MWT-9XHB.`);
  return code;
}

export async function linkKeys(code: string, primitives?: LinkCrypto): Promise<LinkKeys> {
  const by = primitives ?? (await linkCrypto());
  const secret = await by.pbkdf2(new TextEncoder().encode(readCode(code)), salt, linkRounds);
  const name = await by.hkdf(secret, "name", 16);
  return {
    name: Array.from(name, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    key: await by.hkdf(secret, "key", 32),
  };
}

/** The private half of an identity, sealed, in base64url. */
export async function sealSeed(seed: Uint8Array, key: Uint8Array, primitives?: LinkCrypto): Promise<string> {
  const by = primitives ?? (await linkCrypto());
  const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes));
  const sealed = await by.seal(key, nonce, seed);
  return btoa(String.fromCharCode(...nonce, ...sealed))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}

/** Rejects with a sentence for the owner where it is not what another device sealed under this code. */
export async function openSeed(text: string, key: Uint8Array, primitives?: LinkCrypto): Promise<Uint8Array> {
  const by = primitives ?? (await linkCrypto());
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const seed = await by.open(key, bytes.subarray(0, nonceBytes), bytes.subarray(nonceBytes));
    if (seed.length === seedBytes) return seed;
  } catch {
    // Told below.
  }
  throw new Error("What the other device left was changed on its way. Make a new code there.");
}

const linkCrypto = async (): Promise<LinkCrypto> =>
  hasWebCrypto() ? webLinkCrypto : (await import("./plain-link.ts")).plainLinkCrypto;

type Bytes = Uint8Array<ArrayBuffer>;
const aes = (key: Uint8Array, usage: "encrypt" | "decrypt"): Promise<CryptoKey> =>
  crypto.subtle.importKey("raw", key as Bytes, "AES-GCM", false, [usage]);

export const webLinkCrypto: LinkCrypto = {
  async pbkdf2(password, saltBytes, iterations) {
    const key = await crypto.subtle.importKey("raw", password as Bytes, "PBKDF2", false, ["deriveBits"]);
    const parameters = { name: "PBKDF2", hash: "SHA-256", salt: saltBytes as Bytes, iterations };
    return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, 256));
  },
  async hkdf(secret, info, bytes) {
    const key = await crypto.subtle.importKey("raw", secret as Bytes, "HKDF", false, ["deriveBits"]);
    const parameters = {
      name: "HKDF",
      hash: "SHA-256",
      salt: new Uint8Array(32),
      info: new TextEncoder().encode(info),
    };
    return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, bytes * 8));
  },
  async seal(key, iv, plain) {
    const by = await aes(key, "encrypt");
    return new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: iv as Bytes }, by, plain as Bytes));
  },
  async open(key, iv, sealed) {
    const by = await aes(key, "decrypt");
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: iv as Bytes }, by, sealed as Bytes));
  },
};
