import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type BannerFacts, banner, placesOf } from "./banner.ts";
import { newKey, selfSigned } from "./tls/certificate.ts";
import type { Tls } from "./tls/tls.ts";

const facts: BannerFacts = {
  version: "1.2.3",
  dataDir: "/srv/grid",
  host: "0.0.0.0",
  port: 8000,
  publicUrl: null,
  tls: null,
  operatorToken: "qo_token",
  keyless: { enabled: true, reason: null },
  lan: ["192.168.1.5", "10.0.0.7"],
  columns: null,
  opened: false,
  demoJob: false,
};

const tlsFor = (names: string[], own: boolean): Tls => {
  const key = newKey();
  const cert = selfSigned(key, names, Date.now());
  const certFile = "/srv/grid/tls/certificate.pem";
  return { cert, key, certificate: new X509Certificate(cert), certFile, selfSigned: own };
};

const keyless = {
  enabled: false,
  reason: { code: "tls", message: "Keyless loopback is off: the coordinator serves TLS." },
};

describe("the banner", () => {
  it("says of plain http addresses what they withhold, and of which address others use", () => {
    const text = banner(facts);
    expect(text).toContain("Donate compute    http://localhost:8000/\n");
    expect(text).toContain("From your network http://192.168.1.5:8000/  (plain http: CPU only, no GPU)");
    expect(text).toContain(
      "curl -sO http://192.168.1.5:8000/worker.mjs && node worker.mjs --coordinator http://192.168.1.5:8000/",
    );
    expect(text).toContain("needs no key");
    expect(text).not.toContain("▀");
  });

  it("draws the QR code on a terminal only, with the ways out of plain http beside it", () => {
    const text = banner({ ...facts, columns: 120 });
    expect(text).toContain("▀");
    for (const way of ["CPU only", "--https", "--tls-cert", "QUEZTL_PUBLIC_URL"]) expect(text).toContain(way);
    expect(banner({ ...facts, columns: 120, lan: [] })).not.toContain("▀");
    expect(banner({ ...facts, columns: 120, host: "127.0.0.1" })).not.toContain("▀");
  });

  it("with a certificate of this host: https, the fingerprint, and a curl that trusts it and has the token", () => {
    const tls = tlsFor(["localhost", "192.168.1.5"], true);
    const text = banner({ ...facts, columns: 120, tls, keyless });
    expect(text).toContain("From your network https://192.168.1.5:8000/\n");
    expect(text).toContain(tls.certificate.fingerprint256);
    expect(text).toContain("needs a key: Keyless loopback is off: the coordinator serves TLS.");
    expect(text).toContain(
      "curl -s --cacert /srv/grid/tls/certificate.pem https://localhost:8000/api/v1.2/workload/submit",
    );
    expect(text).toContain('-H "Authorization: Bearer qo_token"');
    expect(text).toContain(
      "NODE_EXTRA_CA_CERTS=certificate.pem node worker.mjs --coordinator https://192.168.1.5:8000/",
    );
    expect(text).not.toContain("CPU only");
    expect(text).not.toContain("http://");
  });

  it("with an issued certificate: the name that it is for", () => {
    const tls = tlsFor(["*.wild.test", "grid.test", "www.grid.test"], false);
    expect(placesOf({ ...facts, tls })).toEqual({
      here: "https://grid.test:8000/",
      lan: ["https://grid.test:8000/"],
      elsewhere: "https://grid.test:8000/",
    });
    expect(banner({ ...facts, tls, keyless })).not.toContain("--cacert");
  });

  it("sends others to the public URL", () => {
    const publicUrl = new URL("https://grid.example/");
    const text = banner({ ...facts, publicUrl, columns: 120, keyless });
    expect(text).toContain("Public            https://grid.example/");
    expect(text).toContain("curl -sO https://grid.example/worker.mjs");
    expect(text).not.toContain("browsers keep WebGPU");
  });

  it("says how to have no browser and no demo, when there is one", () => {
    const text = banner({ ...facts, opened: true, demoJob: true });
    expect(text).toContain("--no-open");
    expect(text).toContain("--no-demo");
    expect(banner(facts)).not.toMatch(/--no-/);
  });

  it("puts IPv6 addresses in brackets", () => {
    expect(placesOf({ ...facts, host: "fd00::7" }).here).toBe("http://[fd00::7]:8000/");
  });
});
