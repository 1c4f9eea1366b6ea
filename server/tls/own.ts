/** The certificate that `--https` makes and keeps, in `tls` below the data folder. */
import { createPrivateKey, type X509Certificate } from "node:crypto";
import { chmodSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolderSync, syncFolder, writeAside } from "../durable.ts";
import { covers, expiresMs, namesOf, newKey, parseCertificate, renewDays, selfSigned } from "./certificate.ts";
import { type Tls, TlsError } from "./tls.ts";

/** Names that one certificate may hold: those of now, and then the latest of before. */
const namesMax = 40;

/**
 * The kept certificate, or a new one when it misses one of `names`, ends soon, or is not there. A host that goes
 * from network to network keeps the names of before, so that coming back needs no new certificate. The key stays.
 */
export async function ownCertificate(dataDir: string, names: readonly string[], nowMs: number): Promise<Tls> {
  const folder = join(dataDir, "tls");
  const certFile = join(folder, "certificate.pem");
  makeFolderSync(folder);
  const key = await keptKey(folder);
  const kept = parseCertificate((await textOf(certFile)) ?? "");
  if (kept !== null && kept.checkPrivateKey(createPrivateKey(key)) && isGood(kept, names, nowMs)) {
    return { cert: kept.toString(), key, certificate: kept, certFile, selfSigned: true };
  }
  // Of IPv6 only loopback is in it, which is among the names of now.
  const before = kept === null ? [] : namesOf(kept).filter((name) => !name.includes(":"));
  const cert = selfSigned(key, [...new Set([...names, ...before])].slice(0, namesMax), nowMs);
  await writeAside(certFile, cert, 0o644);
  await syncFolder(folder);
  const certificate = parseCertificate(cert);
  if (certificate === null) throw new Error("a certificate was written that cannot be read");
  return { cert: certificate.toString(), key, certificate, certFile, selfSigned: true };
}

function isGood(certificate: X509Certificate, names: readonly string[], nowMs: number): boolean {
  const soonMs = nowMs + renewDays * 86_400_000;
  const begun = Date.parse(certificate.validFrom) <= nowMs;
  return (
    begun && expiresMs(certificate) > soonMs && names.slice(0, namesMax).every((name) => covers(certificate, name))
  );
}

/** Readable by its owner only, however it was copied here. */
async function keptKey(folder: string): Promise<string> {
  const file = join(folder, "key.pem");
  const kept = await textOf(file);
  if (kept === null) {
    const key = newKey();
    await writeAside(file, key, 0o600);
    await syncFolder(folder);
    return key;
  }
  try {
    createPrivateKey(kept);
  } catch {
    throw new TlsError(`${file} holds no private key. Restore it, or remove it to have a new one made.`);
  }
  if (process.platform !== "win32") chmodSync(file, 0o600);
  return kept;
}

async function textOf(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new TlsError(`${file} cannot be read: ${(error as Error).message}.`);
  }
}
