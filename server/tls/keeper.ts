/** Has a certificate to serve with, and a newer one in time: without a restart, and without a break for those connected. */
import type { Server } from "node:http";
import type { Server as TlsServer } from "node:https";
import { givenCertificate } from "./given.ts";
import { ownCertificate } from "./own.ts";
import type { Tls } from "./tls.ts";

export type TlsSource =
  /** `names` is asked each time: a host changes networks. */
  | { kind: "own"; dataDir: string; names: () => readonly string[] }
  | { kind: "given"; certFile: string; keyFile: string };

export interface TlsKeeperOptions {
  source: TlsSource;
  now: () => number;
  log: (code: string, message: string) => void;
}

/** How often addresses, files and dates are looked at. */
export const lookMs = 60_000;

export class TlsKeeper {
  #timer: NodeJS.Timeout | undefined;
  #said = "";

  private constructor(
    private readonly options: TlsKeeperOptions,
    public current: Tls,
  ) {}

  /** Throws TlsError. */
  static async open(options: TlsKeeperOptions): Promise<TlsKeeper> {
    return new TlsKeeper(options, await load(options));
  }

  /** Hands newer certificates to this server from now on. */
  attach(server: Server): void {
    this.#timer = setInterval(() => void this.look(server), lookMs);
    this.#timer.unref();
  }

  /** Looks once. A certificate that cannot be used is told of, and the one before goes on. */
  async look(server: Server): Promise<void> {
    try {
      const next = await load(this.options);
      if (next.cert === this.current.cert && next.key === this.current.key) return;
      (server as TlsServer).setSecureContext({ cert: next.cert, key: next.key });
      this.current = next;
      this.#said = "";
      this.options.log("certificate", `A newer certificate is in use; SHA-256 ${next.certificate.fingerprint256}.`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== this.#said) this.options.log("certificate", `The certificate of before goes on: ${message}`);
      this.#said = message;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

const load = ({ source, now }: TlsKeeperOptions): Promise<Tls> =>
  source.kind === "own"
    ? ownCertificate(source.dataDir, source.names(), now())
    : givenCertificate(source.certFile, source.keyFile, now());
