/** What the HTTP server speaks TLS with. */
import type { X509Certificate } from "node:crypto";

export interface Tls {
  /** PEM, the chain included. */
  cert: string;
  /** PEM. */
  key: string;
  /** The first one of `cert`. */
  certificate: X509Certificate;
  certFile: string;
  /** Made by this host: nobody trusts it before being told to. */
  selfSigned: boolean;
}

/** A certificate or key that cannot be used; the message says what to do. */
export class TlsError extends Error {
  override name = "TlsError";
}
