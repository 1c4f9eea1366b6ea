/** A certificate that this host signs itself (X.509 version 3, RFC 5280; ECDSA on P-256 with SHA-256). */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIP, isIPv6 } from "node:net";
import { bits, der, integer, objectId, octets, sequence, setOf, time, truth, utf8 } from "./der.ts";

const dayMs = 86_400_000;
/** Browsers refuse more than 398 days of public certificates, and Apple's more than 825 of any. */
export const validDays = 397;
/** A certificate is made again when it has less than this left. */
export const renewDays = 30;

const ecdsaSha256 = sequence(objectId("1.2.840.10045.4.3.2"));

/** A new private key, as PEM (PKCS #8). */
export const newKey = (): string =>
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }) as string;

/**
 * The certificate's PEM. `names` are host names and addresses; the first names its subject too. It is no authority:
 * who trusts it trusts this host, and nothing that its key could sign.
 */
export function selfSigned(keyPem: string, names: readonly string[], nowMs: number): string {
  const key = createPrivateKey(keyPem);
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const subject = sequence(
    setOf(sequence(objectId("2.5.4.3"), utf8(`Queztl on ${names[0] ?? "this host"}`.slice(0, 64)))),
  );
  // Clocks of phones and of this host may differ by some hours.
  const validity = sequence(time(new Date(nowMs - dayMs)), time(new Date(nowMs + (validDays - 1) * dayMs)));
  const version3 = der(0xa0, integer(Buffer.from([2])));
  const serial = integer(Buffer.concat([Buffer.from([0x01]), randomBytes(15)]));
  const extensions = der(0xa3, sequence(...extensionsFor(names)));
  const body = sequence(version3, serial, ecdsaSha256, subject, validity, subject, publicKey, extensions);
  const certificate = sequence(body, ecdsaSha256, bits(sign("sha256", body, key)));
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function extensionsFor(names: readonly string[]): Buffer[] {
  const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
    sequence(objectId(id), ...(critical ? [truth] : []), octets(value));
  return [
    // Basic constraints: no authority.
    extension("2.5.29.19", true, sequence()),
    // Key usage: digitalSignature, the first bit.
    extension("2.5.29.15", true, bits(Buffer.from([0x80]), 7)),
    // Extended key usage: a TLS server.
    extension("2.5.29.37", false, sequence(objectId("1.3.6.1.5.5.7.3.1"))),
    extension("2.5.29.17", false, sequence(...names.map(alternativeName))),
  ];
}

/** dNSName is [2], iPAddress is [7]. */
const alternativeName = (name: string): Buffer =>
  isIP(name) === 0 ? der(0x82, Buffer.from(name, "ascii")) : der(0x87, addressBytes(name));

function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail] = address.split("%")[0]?.split("::") ?? [];
  const groups = (text: string): number[] =>
    text
      .split(":")
      .filter(Boolean)
      .map((group) => Number.parseInt(group, 16));
  const left = groups(head);
  const right = groups(tail ?? "");
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

/** Names and addresses that the certificate is for, as they were given to `selfSigned`. */
export function namesOf(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? "")
    .split(", ")
    .flatMap((entry) => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1] ?? []);
}

/** Whether the certificate is for this name or address. */
export const covers = (certificate: X509Certificate, name: string): boolean =>
  (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;

export const expiresMs = (certificate: X509Certificate): number => Date.parse(certificate.validTo);

/** Parses the first certificate of a PEM text; null when there is none that can be read. */
export function parseCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}
