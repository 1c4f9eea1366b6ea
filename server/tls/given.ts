/** The certificate that the operator names: read, and refused with the reason when it cannot serve. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expiresMs, parseCertificate } from "./certificate.ts";
import { type Tls, TlsError } from "./tls.ts";

/** `certFile` may hold the chain behind the certificate too, as Let's Encrypt's fullchain.pem does. */
export async function givenCertificate(certFile: string, keyFile: string, nowMs: number): Promise<Tls> {
  const cert = await read("--tls-cert", certFile);
  const key = await read("--tls-key", keyFile);
  const certificate = parseCertificate(cert);
  if (certificate === null) {
    throw new TlsError(
      `--tls-cert: ${certFile} holds no certificate in PEM ("-----BEGIN CERTIFICATE-----"). Name the file that does, such as fullchain.pem.`,
    );
  }
  if (!certificate.checkPrivateKey(keyObject(keyFile, key))) {
    throw new TlsError(
      `--tls-key: ${keyFile} is not the key of ${certFile}. Name the key that this certificate was made for.`,
    );
  }
  if (expiresMs(certificate) <= nowMs) {
    throw new TlsError(`--tls-cert: ${certFile} ended on ${certificate.validTo}. Renew it and start again.`);
  }
  if (Date.parse(certificate.validFrom) > nowMs) {
    throw new TlsError(
      `--tls-cert: ${certFile} is valid from ${certificate.validFrom} on, and it is ${new Date(nowMs).toUTCString()}. Check this machine's clock.`,
    );
  }
  return { cert, key, certificate, certFile, selfSigned: false };
}

function keyObject(file: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new TlsError(
      `--tls-key: ${file} holds no private key in PEM that can be read without a password. Remove one with: openssl pkey -in OLD -out NEW`,
    );
  }
}

async function read(flag: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "does not exist" : code === "EACCES" ? "may not be read by this user" : message;
    throw new TlsError(`${flag}: ${file} ${why}. Check the path and its rights.`);
  }
}
