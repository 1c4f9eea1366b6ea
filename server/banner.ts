/** What a person sees in the terminal at the start: where to go, what to try, and how other devices join. */
import { relative } from "node:path";
import { besideQr } from "./first-minutes/qr.ts";
import { namesOf } from "./tls/certificate.ts";
import type { Tls } from "./tls/tls.ts";

export interface BannerFacts {
  version: string;
  dataDir: string;
  /** As it was asked for: a name, an address, or 0.0.0.0. */
  host: string;
  port: number;
  publicUrl: URL | null;
  tls: Tls | null;
  operatorToken: string;
  keyless: { enabled: boolean; reason: { code: string; message: string } | null };
  /** This machine's addresses, the best for other devices first. */
  lan: readonly string[];
  /** Width of the terminal; null when nobody looks at one. */
  columns: number | null;
  /** The browser was opened, and a demo job is offered to tabs. */
  opened: boolean;
  demoJob: boolean;
}

type Where = Pick<BannerFacts, "host" | "port" | "publicUrl" | "tls" | "lan">;

/** Where this machine finds itself, and where others find it, each with its final slash. */
export interface Places {
  here: string;
  lan: string[];
  /** The best one for another device; null when there is none. */
  elsewhere: string | null;
}

export function placesOf({ host, port, publicUrl, tls, lan }: Where): Places {
  const scheme = tls ? "https" : "http";
  const at = (name: string): string => `${scheme}://${name.includes(":") ? `[${name}]` : name}:${port}/`;
  const everywhere = host === "0.0.0.0" || host === "::";
  const loopback = ["localhost", "127.0.0.1", "::1"].includes(host);
  const named = certifiedName(tls);
  const addresses = everywhere ? [...lan] : loopback ? [] : [host];
  // A certificate that was issued for a name fits no address.
  const others = named === null ? addresses : addresses.length > 0 ? [named] : [];
  return {
    here: at(named ?? (everywhere || loopback ? "localhost" : host)),
    lan: others.map(at),
    elsewhere: publicUrl?.href ?? (others[0] === undefined ? null : at(others[0])),
  };
}

/** The name that an issued certificate is for; null without one, and for our own, which fits all addresses. */
function certifiedName(tls: Tls | null): string | null {
  if (tls === null || tls.selfSigned) return null;
  return namesOf(tls.certificate).find((name) => !name.startsWith("*")) ?? null;
}

export function banner(facts: BannerFacts): string {
  const places = placesOf(facts);
  const sections = [
    `Queztl ${facts.version} is running.`,
    addresses(facts, places),
    access(facts),
    tryIt(facts, places),
    anotherMachine(facts, places),
    anotherDevice(facts, places),
    firstMinutes(facts),
    `Ctrl-C stops; everything acknowledged is kept in ${facts.dataDir}.`,
  ];
  return `\n${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function addresses({ publicUrl, tls }: BannerFacts, { here, lan }: Places): string {
  const rows = [
    ["Donate compute", here],
    ["Dashboard", `${here}dashboard`],
    ["API", `${here}api`],
    ...(publicUrl ? [["Public", publicUrl.href]] : []),
    ...lan.map((url) => ["From your network", tls ? url : `${url}  (plain http: CPU only, no GPU)`]),
    ...(tls ? certificateRows(tls) : []),
  ];
  return rows.map(([name = "", value]) => `  ${name.padEnd(18)}${value}`).join("\n");
}

function certificateRows(tls: Tls): string[][] {
  return [
    ["Certificate", `${shown(tls.certFile)}, until ${tls.certificate.validTo}`],
    ["  SHA-256", tls.certificate.fingerprint256],
    ...(tls.selfSigned ? [["", "Made by this host: browsers warn once. Compare the SHA-256, then go on."]] : []),
  ];
}

function access({ operatorToken, keyless }: BannerFacts): string {
  const submitting = keyless.enabled
    ? "needs no key (keyless loopback mode)."
    : `needs a key: ${keyless.reason?.message ?? ""}`;
  return `  Operator's token  ${operatorToken}\n  Submitting from this machine ${submitting}`;
}

function tryIt({ tls, keyless, operatorToken }: BannerFacts, { here }: Places): string {
  const trust = tls?.selfSigned ? ` --cacert ${quoted(shown(tls.certFile))}` : "";
  const key = keyless.enabled ? "" : ` \\\n    -H "Authorization: Bearer ${operatorToken}"`;
  return `Try it:

  curl -s${trust} ${here}api/v1.2/workload/submit${key} \\
    -H "Content-Type: application/json" \\
    -d '{"workload_type": "monte_carlo", "payload": {"iterations": 10000000, "samples": 1000000}, "priority": 9}'`;
}

function anotherMachine({ tls, publicUrl }: BannerFacts, { here, elsewhere }: Places): string {
  const url = elsewhere ?? here;
  // Behind the public URL it is the proxy's certificate that others see.
  if (!tls?.selfSigned || publicUrl) {
    return `Another machine joins with:\n\n  curl -sO ${url}worker.mjs && node worker.mjs --coordinator ${url}`;
  }
  return `Another machine joins with a copy of ${shown(tls.certFile)} beside it:

  curl -sO --cacert certificate.pem ${url}worker.mjs && \\
    NODE_EXTRA_CA_CERTS=certificate.pem node worker.mjs --coordinator ${url}`;
}

const waysOut = [
  "CPU only: browsers keep WebGPU from plain http.",
  "For the GPU too, one of:",
  "  npm start -- --https",
  "  --tls-cert FILE --tls-key FILE",
  "  QUEZTL_PUBLIC_URL, behind a proxy or tunnel",
];

/** A QR code is for eyes: only a terminal that is wide enough gets one. */
function anotherDevice({ columns }: BannerFacts, { elsewhere }: Places): string {
  if (columns === null || elsewhere === null) return "";
  const beside = ["A phone or another computer helps at", elsewhere, ""];
  beside.push(...(elsewhere.startsWith("http:") ? waysOut : []));
  return besideQr(elsewhere, beside, columns);
}

function firstMinutes({ opened, demoJob }: BannerFacts): string {
  return [
    ...(opened ? ["The page opens in your browser (--no-open leaves it closed)."] : []),
    ...(demoJob ? ["While nothing else is to do, tabs get a demo job: pi, priority 1 (--no-demo: none)."] : []),
  ].join("\n");
}

/** Relative where that is shorter, since the commands are typed where the coordinator was started. */
function shown(file: string): string {
  const near = relative(process.cwd(), file);
  return near.startsWith("..") || near.length > file.length ? file : near;
}

const quoted = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
