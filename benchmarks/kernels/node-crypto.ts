/** The header search as a program on Node would do it without a kernel: two calls of OpenSSL's SHA-256 a nonce. */
import * as crypto from "node:crypto";
import { encodePartial, type Share } from "../../kernels/workloads/crypto_mining/layout.ts";
import { type MiningPayload, rangeOf, shareTargetOf } from "../../kernels/workloads/crypto_mining/payload.ts";
import { type Contender, timed } from "./contender.ts";

type Hash = (bytes: Uint8Array) => Buffer;

/** `crypto.hash` is the cheaper call, of Node 20.12 and later. */
const oneShot = (crypto as { hash?: (name: string, bytes: Uint8Array, encoding: "buffer") => Buffer }).hash;
const sha256: Hash = oneShot
  ? (bytes) => oneShot("sha256", bytes, "buffer")
  : (bytes) => crypto.createHash("sha256").update(bytes).digest();

export const nodeCryptoContender: Contender = {
  name: "node:crypto",
  backend: "wasm",
  clock: "cpu",
  share: 1 / 8,
  about: `${oneShot ? "crypto.hash" : "createHash"}, OpenSSL ${process.versions.openssl}`,
  run: ({ payload, tasks }) => timed(() => search(payload as MiningPayload, tasks)),
  close: () => {},
};

function search(payload: MiningPayload, tasks: number): Uint8Array {
  const target = Buffer.from(shareTargetOf(payload).toString(16).padStart(64, "0"), "hex");
  const header = Buffer.alloc(80);
  header.write(payload.header.slice(0, 152), "hex");
  const first = payload.nonce_start ?? 0;
  const [, searched] = rangeOf(payload, 0, tasks);
  const shares: Share[] = [];
  for (let nonce = first; nonce < first + searched; nonce++) {
    header.writeUInt32LE(nonce, 76);
    const hash = sha256(sha256(header));
    // The last byte is the number's most significant; most hashes are told apart by it.
    if ((hash[31] as number) <= (target[0] as number) && hash.reverse().compare(target) <= 0)
      shares.push({ extranonce: 0, nonce });
  }
  return encodePartial({ searched, shares });
}
