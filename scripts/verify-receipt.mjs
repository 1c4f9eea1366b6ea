/**
 * `npm run verify-receipt -- FILE`: checks a receipt of a job from the file alone. It shares no code with the
 * coordinator that made it, and needs no package: docs/receipts.md says what is checked and why.
 */
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFile } from "node:fs/promises";

const usage = `Usage: npm run verify-receipt -- FILE [options]
  --key HEX         the coordinator's public key, as you know it (GET /api/v1.2/receipts/key)
  --output FILE     the job's result: the answer of GET .../result, or the bytes of its output
  --previous FILE   the receipt before this one in the chain
  --grain FILE      one grain's answer (GET .../grain/N), to be held against the receipt
  --extract         the file holds some of the ranges only; their proofs are checked
  --json            print the verdict as JSON`;

/**
 * @typedef {{ name: string, holds: boolean, detail: string }} Check
 * @typedef {{ key?: string, output?: Uint8Array, previous?: unknown, grain?: unknown, extract?: boolean }} Options
 * @typedef {Record<string, any>} Fields what was parsed from JSON, looked at field by field
 */

/** @param {string[]} args */
export async function main(args) {
  /** @type {Options & { file?: string, json?: boolean }} */
  const options = {};
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    const value = args[index + 1] ?? "";
    if (arg === "--extract") options.extract = true;
    else if (arg === "--json") options.json = true;
    else if (arg === "--key") options.key = value;
    else if (arg === "--output") options.output = await readFile(value);
    else if (arg === "--previous") options.previous = JSON.parse(await readFile(value, "utf8"));
    else if (arg === "--grain") options.grain = JSON.parse(await readFile(value, "utf8"));
    else if (!arg.startsWith("-") && options.file === undefined) options.file = arg;
    else return refuse(`What is ${arg}?`);
    if (["--key", "--output", "--previous", "--grain"].includes(arg)) index++;
  }
  if (options.file === undefined) return refuse("Which file?");
  const text = await readFile(options.file, "utf8");
  /** @type {Check[]} */
  let checks;
  try {
    checks = verifyReceipt(JSON.parse(text), options);
  } catch (error) {
    checks = [{ name: "form", holds: false, detail: `It is no receipt: ${/** @type {Error} */ (error).message}` }];
  }
  const holds = checks.every((check) => check.holds);
  if (options.json) console.log(JSON.stringify({ holds, checks }));
  else print(text, checks, holds);
  return holds ? 0 : 1;
}

/** @param {string} why */
function refuse(why) {
  console.error(`${why}\n${usage}`);
  return 2;
}

/** @param {string} text @param {Check[]} checks @param {boolean} holds */
function print(text, checks, holds) {
  for (const { name, holds: good, detail } of checks) console.log(`${good ? "  ok" : "FAIL"}  ${name}: ${detail}`);
  if (!holds) {
    console.log("The receipt does not hold.");
    return;
  }
  const { statement } = JSON.parse(text);
  console.log(
    `The receipt holds. ${statement.final ? "It is final." : "It is not final: results may still be taken back."}`,
  );
  for (const sentence of statement.verification.words) console.log(`  ${sentence}`);
}

/**
 * All checks, in order; one whose ground is missing fails.
 * @param {Fields} receipt @param {Options} options @returns {Check[]}
 */
export function verifyReceipt(receipt, options = {}) {
  const { statement, ranges } = receipt;
  if (statement?.type !== "queztl.receipt.v1") throw new Error(`its type is ${JSON.stringify(statement?.type)}`);
  if (!Array.isArray(ranges)) throw new Error("it has no ranges");
  const checks = [...statementChecks(receipt, options), ...treeChecks(receipt, options)];
  checks.push(nodesCheck(receipt));
  if (options.extract) checks.push(said("coverage", null, `not checked: the file is an extract`));
  else checks.push(coverageCheck(receipt), countsCheck(receipt));
  if (options.previous !== undefined) checks.push(previousCheck(statement, /** @type {Fields} */ (options.previous)));
  if (options.grain !== undefined) checks.push(grainCheck(receipt, /** @type {Fields} */ (options.grain)));
  if (options.output !== undefined) checks.push(outputCheck(statement, options.output));
  return checks;
}

/**
 * A check that failed for a reason, or holds.
 * @param {string} name @param {string | null} failure @param {string} good @returns {Check}
 */
const said = (name, failure, good) => ({ name, holds: failure === null, detail: failure ?? good });

/** @param {Fields} receipt @param {Options} options */
function statementChecks({ statement, hash, signature }, { key }) {
  const text = canonical(statement);
  const own = sha256(Buffer.from(text)).toString("hex");
  const publicKey = statement.coordinator?.public_key;
  const signed = isSigned(publicKey, `queztl.receipt.v1\n${text}`, signature);
  const first = statement.sequence === 1;
  const chained = first ? statement.previous === null : isHex(statement.previous, 32);
  const checks = [
    said("hash", hash === own ? null : `the statement hashes to ${own}, the file says ${hash}`, own),
    said("signature", signed ? null : "the statement is not signed by the coordinator's key", `by ${publicKey}`),
    said(
      "chain",
      chained && Number.isInteger(statement.sequence) && statement.sequence > 0
        ? null
        : "it names no receipt before it",
      first ? "the first receipt" : `number ${statement.sequence}, after ${statement.previous}`,
    ),
  ];
  if (key !== undefined) {
    const same = publicKey === key.toLowerCase();
    checks.push(said("key", same ? null : `it is signed by ${publicKey}, not by ${key}`, "the key is the one given"));
  }
  return checks;
}

/** @param {Fields} receipt @param {Options} options */
function treeChecks({ statement, ranges }, { extract }) {
  const { count, root } = statement.ranges;
  const leaves = ranges.map((/** @type {Fields} */ { range }) => leafHash(canonical(range)));
  const checks = [];
  if (!extract) {
    const missing = ranges.length === count ? null : `the file has ${ranges.length} ranges of ${count}; see --extract`;
    checks.push(said("ranges", missing, `all ${count}`));
    const own = merkleRoot(leaves).toString("hex");
    checks.push(said("root", own === root ? null : `the ranges' root is ${own}, signed is ${root}`, root));
  }
  const failure = ranges
    .map((/** @type {Fields} */ { index, proof }, /** @type {number} */ at) => {
      if (!extract && index !== at) return `the range at ${at} says that it is number ${index}`;
      if (proof === undefined) return extract ? `range ${index} has no proof` : null;
      return proves(leaves[at], index, count, proof, root)
        ? null
        : `the proof of range ${index} does not lead to the root`;
    })
    .find((/** @type {string | null} */ why) => why !== null);
  const proved = ranges.filter((/** @type {Fields} */ { proof }) => proof !== undefined).length;
  checks.push(said("proofs", failure ?? (extract && proved === 0 ? "there are none" : null), `${proved} proofs`));
  return checks;
}

/** Each range is signed by the node that it names. @param {Fields} receipt */
function nodesCheck({ statement, ranges }) {
  for (const { index, range } of ranges) {
    const failure = nodeFailure(statement.job, range);
    if (failure !== null) return said("nodes", `range ${index}: ${failure}`, "");
  }
  const nodes = new Set(ranges.map((/** @type {Fields} */ { range }) => range.node_id)).size;
  return said("nodes", null, `${ranges.length} results are signed by ${nodes} nodes`);
}

/** @param {Fields} job @param {Fields} range @returns {string | null} */
function nodeFailure(job, range) {
  const { public_key, node_id, round, signed, lo, hi } = range;
  if (!isHex(public_key, 32)) return "the node's key is missing";
  const id = sha256(Buffer.from(public_key, "hex")).toString("hex").slice(0, 16);
  if (id !== node_id) return `the key is of node ${id}, not of ${node_id}`;
  if (!(signed.lo <= lo && lo < hi && hi <= signed.hi)) return "it is not within what the node signed";
  const builds = Object.values(job.files).map((/** @type {any} */ file) => file.sha256);
  if (!builds.includes(signed.build)) return "the file that ran is none of the job's kernel";
  const words = [
    "queztl.result.v2",
    signed.lease,
    job.task_id,
    round,
    signed.lo,
    signed.hi,
    signed.backend,
    job.kernel,
    signed.build,
    signed.root,
  ];
  if (!isHex(signed.root, 32)) return "the result was not signed";
  return isSigned(public_key, words.join("\n"), signed.signature) ? null : "the node's signature is wrong";
}

/** Each round's ranges follow each other from 0 to its end. @param {Fields} receipt */
function coverageCheck({ statement, ranges }) {
  let at = 0;
  let grains = 0;
  for (const { round, grains: all, grains_covered: told } of statement.rounds) {
    let next = 0;
    let covered = 0;
    for (; at < ranges.length && ranges[at].range.round === round; at++) {
      const { lo, hi } = ranges[at].range;
      if (lo < next) return said("coverage", `round ${round}: grain ${lo} is covered twice`, "");
      if (lo > next && told === all)
        return said("coverage", `round ${round}: grains ${next} to ${lo} are not covered`, "");
      next = hi;
      covered += hi - lo;
    }
    if (next > all) return said("coverage", `round ${round} has ${all} grains; a range ends at ${next}`, "");
    if (covered !== told) return said("coverage", `round ${round}: ${covered} grains are covered, not ${told}`, "");
    grains += all;
  }
  if (at < ranges.length) return said("coverage", `range ${at} is of a round that the statement does not have`, "");
  const covered = statement.rounds.reduce(
    (/** @type {number} */ sum, /** @type {Fields} */ r) => sum + r.grains_covered,
    0,
  );
  const all = covered === grains ? `all ${grains} grains, none twice` : `${covered} of ${grains} grains, none twice`;
  return said("coverage", null, all);
}

/** The statement's numbers are those of the ranges. @param {Fields} receipt */
function countsCheck({ statement, ranges }) {
  /** @type {Record<string, number>} */
  const byReason = {};
  let own = 0;
  let sealed = true;
  for (const { range } of ranges) {
    byReason[range.reason] = (byReason[range.reason] ?? 0) + range.hi - range.lo;
    if (range.own) own += range.hi - range.lo;
    if (range.standing !== "sealed") sealed = false;
    if (range.verdict !== "accept") return said("numbers", `a range counts with the verdict ${range.verdict}`, "");
  }
  const { grains_by_reason, grains_by_own_nodes } = statement.verification;
  if (canonical(byReason) !== canonical(grains_by_reason) || own !== grains_by_own_nodes) {
    return said("numbers", "the shares of how grains were verified are not those of the ranges", "");
  }
  if (statement.final && !sealed) return said("numbers", "it is called final, and not every range is sealed", "");
  return said("numbers", null, "the shares of how grains were verified are those of the ranges");
}

/** @param {Fields} statement @param {Fields} previous */
function previousCheck(statement, previous) {
  const hash = sha256(Buffer.from(canonical(previous.statement))).toString("hex");
  const follows = statement.previous === hash && statement.sequence === previous.statement?.sequence + 1;
  return said("previous", follows ? null : "it does not follow the receipt given", `it follows ${hash}`);
}

/** The grain is in a result that the receipt rests on, and its node signed it. @param {Fields} receipt @param {Fields} of */
function grainCheck({ statement, ranges }, of) {
  /** @param {string} why */
  const not = (why) => said("grain", why, "");
  if (of.type !== "queztl.grain.v1" || typeof of.partial !== "string")
    return not("the file given is no grain's answer");
  if (of.task_id !== statement.job.task_id) return not(`it is of job ${of.task_id}`);
  const found = ranges.find(
    (/** @type {Fields} */ { range }) => range.round === of.round && range.lo <= of.grain && of.grain < range.hi,
  );
  if (found === undefined) return not(`no range of round ${of.round} holds grain ${of.grain}`);
  const { node_id, signed } = found.range;
  const index = Buffer.alloc(4);
  index.writeUInt32BE(of.grain);
  const leaf = sha256(Buffer.concat([Buffer.of(0), index, Buffer.from(of.partial, "hex")]));
  const holds = proves(leaf, of.grain - signed.lo, signed.hi - signed.lo, of.proof, signed.root);
  return holds
    ? said("grain", null, `node ${node_id} signed this answer to grain ${of.grain}`)
    : not("it is not what the node signed");
}

/** @param {Fields} statement @param {Uint8Array} output */
function outputCheck(statement, output) {
  const told = statement.job.output_sha256;
  const hashes = [sha256(output)];
  try {
    const answer = JSON.parse(Buffer.from(output).toString("utf8"));
    hashes.push(sha256(Buffer.from(JSON.stringify(answer))));
    if (answer?.result !== undefined) hashes.push(sha256(Buffer.from(JSON.stringify(answer.result))));
  } catch {
    // Bytes that are no JSON have one hash.
  }
  const same = hashes.some((hash) => hash.toString("hex") === told);
  return said("output", same ? null : `the output given is not the one with hash ${told}`, `${told}`);
}

/** @param {Uint8Array} bytes */
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();
/** @param {unknown} text @param {number} bytes */
const isHex = (text, bytes) => typeof text === "string" && new RegExp(`^[0-9a-f]{${2 * bytes}}$`).test(text);

/** @param {unknown} publicKey @param {string} text @param {unknown} signature */
function isSigned(publicKey, text, signature) {
  if (!isHex(publicKey, 32) || !isHex(signature, 64)) return false;
  const x = Buffer.from(/** @type {string} */ (publicKey), "hex").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  return verify(null, Buffer.from(text), key, Buffer.from(/** @type {string} */ (signature), "hex"));
}

/** RFC 8785. @param {unknown} value @returns {string} */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const names = Object.keys(value).sort();
  const fields = /** @type {Fields} */ (value);
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(fields[name])}`).join(",")}}`;
}

/** RFC 6962, as the functions below. @param {string} text */
const leafHash = (text) => sha256(Buffer.concat([Buffer.of(0), Buffer.from(text)]));
/** @param {Uint8Array} left @param {Uint8Array} right */
const nodeHash = (left, right) => sha256(Buffer.concat([Buffer.of(1), left, right]));
/** The largest power of two below `size`. @param {number} size */
const splitOf = (size) => 2 ** (Math.ceil(Math.log2(size)) - 1);

/** @param {Buffer[]} leaves @returns {Buffer} */
function merkleRoot(leaves) {
  if (leaves.length === 0) return sha256(Buffer.alloc(0));
  if (leaves.length === 1) return /** @type {Buffer} */ (leaves[0]);
  const split = splitOf(leaves.length);
  return nodeHash(merkleRoot(leaves.slice(0, split)), merkleRoot(leaves.slice(split)));
}

/** @param {Buffer} leaf @param {number} index @param {number} size @param {unknown} proof @param {string} root */
function proves(leaf, index, size, proof, root) {
  if (!Array.isArray(proof) || !proof.every((hash) => isHex(hash, 32))) return false;
  if (!Number.isInteger(index) || index < 0 || index >= size) return false;
  const hashes = proof.map((hash) => Buffer.from(hash, "hex"));
  /** @param {number} at @param {number} of @returns {Buffer | null} the root of `of` leaves, with the leaf at `at` */
  const climb = (at, of) => {
    if (of === 1) return leaf;
    const split = splitOf(of);
    const beside = hashes.pop();
    const inner = at < split ? climb(at, split) : climb(at - split, of - split);
    if (beside === undefined || inner === null) return null;
    return at < split ? nodeHash(inner, beside) : nodeHash(beside, inner);
  };
  const own = climb(index, size);
  return hashes.length === 0 && own !== null && own.toString("hex") === root;
}
