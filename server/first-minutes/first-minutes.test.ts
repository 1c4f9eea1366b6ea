import type { networkInterfaces } from "node:os";
import decodeQR from "qr/decode.js";
import { describe, expect, it } from "vitest";
import { lanAddressesBestFirst } from "./addresses.ts";
import { type Desk, openCommand } from "./browser.ts";
import { besideQr, qrLines } from "./qr.ts";

const interfaces = (given: Record<string, string[]>): ReturnType<typeof networkInterfaces> =>
  Object.fromEntries(
    Object.entries(given).map(([device, addresses]) => [
      device,
      addresses.map((address) => ({
        address,
        family: address.includes(":") ? ("IPv6" as const) : ("IPv4" as const),
        internal: device === "lo",
        netmask: "",
        mac: "",
        cidr: null,
        ...(address.includes(":") ? { scopeid: 0 } : {}),
      })),
    ]),
  ) as ReturnType<typeof networkInterfaces>;

const best = (given: Record<string, string[]>): string[] =>
  lanAddressesBestFirst(interfaces(given)).map(({ address }) => address);

describe("the address for another device", () => {
  it("is the home network's, not one inside this machine, a tunnel's or one without a network", () => {
    expect(
      best({
        lo: ["127.0.0.1", "::1"],
        docker0: ["172.17.0.1"],
        "br-1f2e3d": ["172.18.0.1"],
        veth0a1b: ["169.254.3.4"],
        tailscale0: ["100.64.1.2"],
        eth1: ["10.1.2.3"],
        wlan0: ["192.168.1.5", "fe80::1", "2001:db8::5"],
        eth2: ["169.254.9.9"],
      }),
    ).toEqual(["192.168.1.5", "10.1.2.3", "100.64.1.2"]);
  });

  it("is inside this machine where there is nothing else, and none without any", () => {
    expect(best({ docker0: ["172.17.0.1"] })).toEqual(["172.17.0.1"]);
    expect(best({ lo: ["127.0.0.1"] })).toEqual([]);
  });
});

describe("the QR code", () => {
  const url = "http://192.168.100.200:8000/";

  it("is read back as the address that was put in", () => {
    const { lines, columns } = qrLines(url);
    // Four pixels a module, as a camera would have them at least.
    const size = columns * 4;
    const data = new Uint8Array(size * size * 4).fill(255);
    lines.forEach((line, row) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of the terminal begin with one.
      const blocks = [...line.replace(/\x1b\[[\d;]*m/g, "")];
      expect(blocks).toHaveLength(columns);
      blocks.forEach((block, x) => {
        for (const [half, dark] of [/[█▀]/.test(block), /[█▄]/.test(block)].entries()) {
          const y = row * 2 + half;
          if (!dark || y >= columns) continue;
          for (let at = 0; at < 16; at++) {
            const pixel = ((y * 4 + (at >> 2)) * size + x * 4 + (at & 3)) * 4;
            data.fill(0, pixel, pixel + 3);
          }
        }
      });
    });
    expect(decodeQR({ width: size, height: size, data })).toBe(url);
  });

  it("stands beside its text, above it, or not at all, as the terminal's width allows", () => {
    const text = ["A phone helps at", url];
    const { lines, columns } = qrLines(url);
    expect(besideQr(url, text, 100).split("\n")).toHaveLength(lines.length);
    expect(besideQr(url, text, columns + 4).split("\n")).toHaveLength(lines.length + text.length);
    expect(besideQr(url, text, 20)).toBe(text.join("\n"));
  });
});

describe("the browser", () => {
  const desk: Desk = { platform: "linux", ci: false, ssh: false, display: true, wsl: false };
  const url = "http://localhost:8000/";

  it("opens by the platform's own way", () => {
    expect(openCommand(url, desk)).toEqual(["xdg-open", url]);
    expect(openCommand(url, { ...desk, platform: "darwin", display: false })).toEqual(["open", url]);
    const windows = ["cmd.exe", "/d", "/c", "start", "", url];
    expect(openCommand(url, { ...desk, platform: "win32", display: false })).toEqual(windows);
    expect(openCommand(url, { ...desk, wsl: true, display: false })).toEqual(windows);
  });

  it("stays closed where nobody would see it", () => {
    expect(openCommand(url, { ...desk, ci: true })).toBeNull();
    expect(openCommand(url, { ...desk, ssh: true })).toBeNull();
    expect(openCommand(url, { ...desk, display: false })).toBeNull();
  });
});
