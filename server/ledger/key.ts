/** The coordinator's own Ed25519 key: it signs receipts, and lives in the data folder, readable by its owner only. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolderSync, syncFolder, writeAside } from "../durable.ts";

export class CoordinatorKey {
  /** Raw, 32 bytes, in hex. */
  readonly publicKey: string;

  constructor(private readonly privateKey: KeyObject) {
    const { x } = createPublicKey(privateKey).export({ format: "jwk" });
    this.publicKey = Buffer.from(x as string, "base64url").toString("hex");
  }

  /** A key that ends with the process. */
  static fresh(): CoordinatorKey {
    return new CoordinatorKey(generateKeyPairSync("ed25519").privateKey);
  }

  sign(text: string): Uint8Array {
    return new Uint8Array(sign(null, Buffer.from(text), this.privateKey));
  }
}

/** Makes the key at the first start. Throws where the file is damaged: a new key would break every pin on the old one. */
export async function loadCoordinatorKey(dataDir: string): Promise<CoordinatorKey> {
  const file = join(dataDir, "receipt-key.pem");
  makeFolderSync(dataDir);
  const pem = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (pem !== null) return new CoordinatorKey(parse(pem, file));
  const { privateKey } = generateKeyPairSync("ed25519");
  // Durable before it signs anything.
  await writeAside(file, privateKey.export({ type: "pkcs8", format: "pem" }), 0o600);
  await syncFolder(dataDir);
  return new CoordinatorKey(privateKey);
}

function parse(pem: string, file: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== "ed25519") throw new Error(`a key of type ${key.asymmetricKeyType}`);
    return key;
  } catch (cause) {
    throw new Error(`${file} holds no Ed25519 key. Restore it, or remove it to sign with a new one.`, { cause });
  }
}
