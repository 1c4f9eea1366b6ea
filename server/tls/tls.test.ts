import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { createServer, get } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { expiresMs, namesOf, newKey, selfSigned, validDays } from "./certificate.ts";
import { givenCertificate } from "./given.ts";
import { TlsKeeper } from "./keeper.ts";
import { ownNames } from "./names.ts";
import { ownCertificate } from "./own.ts";

const dayMs = 86_400_000;
const names = ["grid.test", "localhost", "127.0.0.1", "::1", "192.168.1.5"];
let folder = "";
let servers: Server[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "queztl-tls-"));
});
afterEach(() => {
  for (const server of servers) server.close();
  servers = [];
  rmSync(folder, { recursive: true, force: true });
});

async function serve(pem: { cert: string; key: string }): Promise<{ server: Server; port: number }> {
  const server = createServer(pem, (_request, response) => void response.end("hello"));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

/** What a client that trusts `ca` gets of the server under `servername`. */
function ask(port: number, servername: string, ca?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, servername, ca, agent: false }, (response) => {
      response.on("data", (data) => resolve(String(data)));
    });
    request.on("error", reject);
  });
}

/** Fingerprint of the certificate that the server shows. */
function shownBy(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, servername: "localhost", rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

describe("the certificate that this host makes", () => {
  it("is for all names and addresses given, for serving only, and ends before browsers refuse it", () => {
    const now = Date.UTC(2026, 5, 1);
    const certificate = new X509Certificate(selfSigned(newKey(), names, now));
    expect(namesOf(certificate)).toEqual(["grid.test", "localhost", "127.0.0.1", "0:0:0:0:0:0:0:1", "192.168.1.5"]);
    for (const name of ["grid.test", "localhost"]) expect(certificate.checkHost(name)).toBe(name);
    for (const address of ["127.0.0.1", "::1", "192.168.1.5"]) expect(certificate.checkIP(address)).toBe(address);
    expect(certificate.checkHost("other.test")).toBeUndefined();
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(Date.parse(certificate.validFrom)).toBe(now - dayMs);
    expect(expiresMs(certificate) - Date.parse(certificate.validFrom)).toBe(validDays * dayMs);
  });

  it("writes dates after 2049 with four digits", () => {
    const certificate = new X509Certificate(selfSigned(newKey(), names, Date.UTC(2049, 11, 1)));
    expect(new Date(expiresMs(certificate)).getUTCFullYear()).toBe(2051);
  });

  it("serves TLS to who trusts it, under its names only", async () => {
    const tls = await ownCertificate(folder, names, Date.now());
    const { port } = await serve(tls);
    expect(await ask(port, "localhost", tls.cert)).toBe("hello");
    expect(await ask(port, "grid.test", tls.cert)).toBe("hello");
    await expect(ask(port, "other.test", tls.cert)).rejects.toThrow(/altnames/);
    await expect(ask(port, "localhost")).rejects.toThrow(/self-signed/);
  });

  it("is kept from start to start, with a key that its owner alone may read", async () => {
    const first = await ownCertificate(folder, names, Date.now());
    expect((await ownCertificate(folder, names, Date.now())).cert).toBe(first.cert);
    expect(readFileSync(first.certFile, "utf8")).toBe(first.cert);
    if (process.platform !== "win32") expect(statSync(join(folder, "tls", "key.pem")).mode & 0o777).toBe(0o600);
  });

  it("is made again when an address is missing, and keeps the key and the names of before", async () => {
    const first = await ownCertificate(folder, names, Date.now());
    const second = await ownCertificate(folder, ["localhost", "10.0.0.7"], Date.now());
    expect(second.cert).not.toBe(first.cert);
    expect(second.key).toBe(first.key);
    for (const address of ["10.0.0.7", "192.168.1.5"]) expect(second.certificate.checkIP(address)).toBe(address);
    // Back on the network of before.
    expect((await ownCertificate(folder, names.slice(1, 3), Date.now())).cert).toBe(second.cert);
  });

  it("is made again a month before it ends, and when the clock was wrong", async () => {
    const first = await ownCertificate(folder, names, Date.now());
    const later = Date.now() + (validDays - 32) * dayMs;
    expect((await ownCertificate(folder, names, later)).cert).toBe(first.cert);
    const second = await ownCertificate(folder, names, later + 2 * dayMs);
    expect(expiresMs(second.certificate)).toBeGreaterThan(later + 300 * dayMs);
    const third = await ownCertificate(folder, names, Date.now());
    expect(Date.parse(third.certificate.validFrom)).toBeLessThan(Date.now());
  });

  it("is made again when the key is another, and a damaged key is told of", async () => {
    const first = await ownCertificate(folder, names, Date.now());
    writeFileSync(join(folder, "tls", "key.pem"), newKey());
    const second = await ownCertificate(folder, names, Date.now());
    expect(second.cert).not.toBe(first.cert);
    expect(second.certificate.checkPrivateKey(createPrivateKey(second.key))).toBe(true);
    writeFileSync(join(folder, "tls", "key.pem"), "no key");
    await expect(ownCertificate(folder, names, Date.now())).rejects.toThrow(/key\.pem holds no private key\. Restore/);
  });
});

describe("the names of this host", () => {
  it("are its own, its networks' and its operator's, each once", () => {
    const called = {
      host: "0.0.0.0",
      publicUrl: new URL("https://Grid.example/"),
      allowedHosts: ["fd00::1", "10.0.0.7", "bücher.test"],
    };
    const lan = [{ address: "10.0.0.7", device: "eth0" }];
    const expected = ["box", "box.local", "localhost", "127.0.0.1", "::1", "grid.example", "10.0.0.7"];
    expect(ownNames(called, ["box", "box.local"], lan)).toEqual(expected);
  });
});

describe("a certificate that the operator names", () => {
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const key = newKey();

  it("serves TLS", async () => {
    const cert = file("cert.pem", selfSigned(key, ["grid.test"], Date.now()));
    const tls = await givenCertificate(cert, file("key.pem", key), Date.now());
    expect(tls.selfSigned).toBe(false);
    const { port } = await serve(tls);
    expect(await ask(port, "grid.test", tls.cert)).toBe("hello");
  });

  it("is refused with the flag, the file and the remedy", async () => {
    const cert = file("cert.pem", selfSigned(key, ["grid.test"], Date.now()));
    const keyFile = file("key.pem", key);
    const old = file("old.pem", selfSigned(key, ["grid.test"], Date.now() - 400 * dayMs));
    const early = file("early.pem", selfSigned(key, ["grid.test"], Date.now() + 9 * dayMs));
    const refusals: [string, string, RegExp][] = [
      [join(folder, "none.pem"), keyFile, /--tls-cert: .*none\.pem does not exist\. Check the path/],
      [cert, join(folder, "none.pem"), /--tls-key: .*none\.pem does not exist/],
      [keyFile, keyFile, /--tls-cert: .*holds no certificate in PEM/],
      [cert, cert, /--tls-key: .*holds no private key in PEM/],
      [cert, file("other.pem", newKey()), /--tls-key: .*other\.pem is not the key of .*cert\.pem/],
      [old, keyFile, /old\.pem ended on .*\. Renew it/],
      [early, keyFile, /early\.pem is valid from .*Check this machine's clock/],
    ];
    for (const [certFile, keyPath, message] of refusals) {
      await expect(givenCertificate(certFile, keyPath, Date.now())).rejects.toThrow(message);
    }
  });
});

describe("the keeper", () => {
  it("serves a renewed file to new connections, and goes on with the old one when the new one is unusable", async () => {
    const key = newKey();
    const certFile = join(folder, "cert.pem");
    const keyFile = join(folder, "key.pem");
    writeFileSync(keyFile, key);
    writeFileSync(certFile, selfSigned(key, ["localhost"], Date.now()));
    const told: string[] = [];
    const source = { kind: "given" as const, certFile, keyFile };
    const keeper = await TlsKeeper.open({ source, now: Date.now, log: (_code, message) => told.push(message) });
    const { server, port } = await serve(keeper.current);
    const first = await shownBy(port);
    expect(first).toBe(keeper.current.certificate.fingerprint256);
    await keeper.look(server);
    expect(told).toEqual([]);

    writeFileSync(certFile, selfSigned(key, ["localhost"], Date.now()));
    await keeper.look(server);
    const second = await shownBy(port);
    expect(second).not.toBe(first);
    expect(told).toEqual([`A newer certificate is in use; SHA-256 ${second}.`]);

    writeFileSync(certFile, "half a file");
    await keeper.look(server);
    await keeper.look(server);
    expect(await shownBy(port)).toBe(second);
    expect(told.slice(1)).toEqual([expect.stringMatching(/goes on: --tls-cert: .*holds no certificate/)]);
  });

  it("makes a certificate for a network that came", async () => {
    let lan = ["localhost"];
    const source = { kind: "own" as const, dataDir: folder, names: () => lan };
    const keeper = await TlsKeeper.open({ source, now: Date.now, log: () => {} });
    const { server, port } = await serve(keeper.current);
    const first = await shownBy(port);
    await keeper.look(server);
    expect(await shownBy(port)).toBe(first);
    lan = ["localhost", "192.168.7.7"];
    await keeper.look(server);
    expect(await shownBy(port)).not.toBe(first);
    expect(keeper.current.certificate.checkIP("192.168.7.7")).toBe("192.168.7.7");
  });
});
