/** The port, the data folder, the certificate and the clock. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { care, missing, note, ok } from "./finding.mjs";

/** @typedef {import("./host.mjs").Host} Host */
/** @typedef {import("./finding.mjs").Finding} Finding */

/** @param {Host} host @returns {Promise<Finding>} */
export async function port(host) {
  const named = host.env.QUEZTL_PORT;
  const number = Number(named ?? 8000);
  if (!Number.isInteger(number) || number < 0 || number > 65_535) {
    return missing("Port", `QUEZTL_PORT is "${named}"`, "set it to a number from 0 to 65535, or unset it");
  }
  const error = await host.listen(number);
  if (error === null) return ok("Port", `${number} is free`);
  if (error === "EACCES")
    return missing("Port", `${number} needs more rights`, "use one above 1023: QUEZTL_PORT or --port");
  const version = await host.queztlAt(number);
  if (version !== null) return note("Port", `${number} has a coordinator already, version ${version}`);
  const found = `${number} is taken${await ownerOf(host, number)}`;
  return named === undefined
    ? care("Port", found, "`npm start` takes the next free one; or stop that program, or use --port")
    : missing("Port", found, "stop that program, or set QUEZTL_PORT to another port");
}

/** @param {Host} host @param {number} number */
async function ownerOf(host, number) {
  /** @type {[string, string[], RegExp][]} */
  const probes = [
    ["ss", ["-ltnp", `sport = :${number}`], /users:\(\("(?<name>[^"]+)",pid=(?<pid>\d+)/],
    ["lsof", ["-nP", `-iTCP:${number}`, "-sTCP:LISTEN", "-Fpc"], /p(?<pid>\d+)\nc(?<name>.+)/],
    ["netstat", ["-ano", "-p", "tcp"], new RegExp(`:${number}\\s.*LISTENING\\s+(?<pid>\\d+)`)],
  ];
  for (const [program, args, pattern] of probes) {
    const groups = pattern.exec((await host.run(program, args)).output)?.groups;
    if (groups?.pid) return ` by ${groups.name ?? "process"} (pid ${groups.pid})`;
  }
  return "";
}

const MIB = 2 ** 20;

/** @param {Host} host @returns {Promise<Finding[]>} */
export async function data(host) {
  const { dataDir } = host;
  if (!host.writable(dataDir)) {
    return [
      missing(
        "Data folder",
        `${dataDir} may not be written`,
        "give this user the right, or set QUEZTL_DATA to another folder",
      ),
    ];
  }
  /** @type {Finding[]} */
  const found = [];
  const free = host.freeBytes(dataDir);
  const space = free === null ? "free space unknown" : `${(free / 2 ** 30).toFixed(1)} GiB free`;
  const remedy = "free space there, or set QUEZTL_DATA to a folder on another disk";
  if (free !== null && free < 100 * MIB) found.push(missing("Data folder", `${dataDir}: ${space}`, remedy));
  else if (free !== null && free < 1024 * MIB) found.push(care("Data folder", `${dataDir}: ${space}`, remedy));
  else found.push(ok("Data folder", `${dataDir}${host.exists(dataDir) ? "" : " (made at the first start)"}, ${space}`));
  const owner = Number(host.read(join(dataDir, "owner.pid")) ?? 0);
  if (owner > 0 && (await isCoordinator(host, owner))) {
    found.push(
      note("Data folder", `a coordinator uses it (pid ${owner}); a second one needs --data with another folder`),
    );
  }
  return found;
}

/** A process number outlives its process and is given to others: so what runs under it is asked too. @param {Host} host @param {number} pid */
async function isCoordinator(host, pid) {
  const [program, ...args] =
    host.platform === "win32"
      ? [
          "powershell",
          "-NoProfile",
          "-Command",
          `(Get-CimInstance Win32_Process -Filter "ProcessId=${pid}").CommandLine`,
        ]
      : ["ps", "-o", "args=", "-p", String(pid)];
  const { output } = await host.run(program ?? "", args);
  return /server[\\/]main\.(ts|js)/.test(output);
}

/** @param {Host} host @returns {Finding} */
export function certificate(host) {
  const { QUEZTL_TLS_CERT: cert, QUEZTL_TLS_KEY: key } = host.env;
  if (cert !== undefined || key !== undefined) return givenCertificate(host, cert, key);
  const file = join(host.dataDir, "tls", "certificate.pem");
  const pem = host.read(file);
  if (pem === null) {
    return note(
      "Certificate",
      "none: plain http, so other devices compute without their GPU",
      "`npm start -- --https` makes one for this host's addresses",
    );
  }
  const parsed = parse(pem);
  const again = "`npm start -- --https` makes a new one";
  if (parsed === null) return care("Certificate", `${file} cannot be read as one`, again);
  const keyFile = join(host.dataDir, "tls", "key.pem");
  const mode = host.stat(keyFile)?.mode;
  if (host.platform !== "win32" && mode !== undefined && (mode & 0o077) !== 0) {
    return care("Certificate", `${keyFile} may be read by other users of this machine`, `chmod 600 ${keyFile}`);
  }
  if (Date.parse(parsed.validTo) <= host.now()) return care("Certificate", `${file} ended on ${parsed.validTo}`, again);
  const foreign = host.addresses().filter((address) => parsed.checkIP(address) === undefined);
  if (foreign.length > 0) return note("Certificate", `${file} is not for ${foreign.join(", ")}`, again);
  return ok("Certificate", `${file}, until ${parsed.validTo}`);
}

/** @param {Host} host @param {string | undefined} certFile @param {string | undefined} keyFile @returns {Finding} */
function givenCertificate(host, certFile, keyFile) {
  if (certFile === undefined || keyFile === undefined) {
    return missing(
      "Certificate",
      "one of QUEZTL_TLS_CERT and QUEZTL_TLS_KEY is set without the other",
      "set both, or none",
    );
  }
  const pem = host.read(certFile);
  const key = host.read(keyFile);
  if (pem === null || key === null) {
    return missing(
      "Certificate",
      `${pem === null ? certFile : keyFile} cannot be read`,
      "check the path and its rights",
    );
  }
  const parsed = parse(pem);
  if (parsed === null)
    return missing(
      "Certificate",
      `${certFile} holds no certificate in PEM`,
      "name the file that does, such as fullchain.pem",
    );
  if (!fits(parsed, key))
    return missing("Certificate", `${keyFile} is not the key of ${certFile}`, "name the key that it was made for");
  const ends = Date.parse(parsed.validTo);
  if (ends <= host.now()) return missing("Certificate", `${certFile} ended on ${parsed.validTo}`, "renew it");
  if (ends - host.now() < 14 * 86_400_000) {
    return care(
      "Certificate",
      `${certFile} ends on ${parsed.validTo}`,
      "renew it; a running coordinator takes the new file by itself",
    );
  }
  return ok("Certificate", `${certFile}, until ${parsed.validTo}`);
}

/** @param {string} pem */
function parse(pem) {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

/** @param {X509Certificate} parsed @param {string} key */
function fits(parsed, key) {
  try {
    return parsed.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** Files from the future show a clock that is behind; nobody on the network is asked. @param {Host} host @returns {Promise<Finding>} */
export async function clock(host) {
  const remedy = "set the clock, and let the system keep it (on Linux `sudo timedatectl set-ntp true`)";
  const newest = [join(host.root, "package.json"), join(host.dataDir, "owner.pid"), join(host.dataDir, "secrets.json")]
    .map((path) => ({ path, ms: host.stat(path)?.mtimeMs ?? 0 }))
    .sort((a, b) => b.ms - a.ms)[0];
  const now = host.now();
  const shown = new Date(now).toISOString().slice(0, 19);
  if (newest !== undefined && newest.ms > now + 60_000) {
    const written = new Date(newest.ms).toISOString().slice(0, 19);
    return missing("Clock", `says ${shown} UTC, but ${newest.path} was written at ${written}`, remedy);
  }
  if (host.platform !== "linux") return ok("Clock", `${shown} UTC`);
  const { code, output } = await host.run("timedatectl", ["show", "-p", "NTPSynchronized", "--value"]);
  if (code !== 0 || !/^(yes|no)$/.test(output.trim())) return ok("Clock", `${shown} UTC`);
  if (output.trim() === "yes") return ok("Clock", `${shown} UTC, kept by the network`);
  return note("Clock", `${shown} UTC, not kept by the network`, remedy);
}
