/**
 * Counts the k-mers of a genome: `node docs/examples/kmers.mjs genome.fasta 4`. The sequence is cut into pieces that
 * overlap by k-1 letters; each piece is a task, and the counts are added here.
 */
import { readFile } from "node:fs/promises";

const { connect } = await import(process.env.QUEZTL_SDK ?? "./queztl-sdk.mjs");

const source = `
import { text, answer } from "./queztl";

let k: i32 = 0;

export function init(at: usize, length: i32): void {
  k = I32.parseInt(text(at, length)) as i32;
}

/** A letter as two bits; -1 for what is unknown. */
function letter(code: i32): i32 {
  if (code == 65) return 0;
  if (code == 67) return 1;
  if (code == 71) return 2;
  return code == 84 ? 3 : -1;
}

export function run(at: usize, length: i32): u64 {
  const piece = text(at, length);
  const counts = new StaticArray<i32>(1 << (2 * k));
  const mask = (1 << (2 * k)) - 1;
  let word = 0, known = 0;
  // The first and the last character are quotes.
  for (let i = 1; i < piece.length - 1; i++) {
    const bits = letter(piece.charCodeAt(i));
    known = bits < 0 ? 0 : known + 1;
    word = ((word << 2) | (bits & 3)) & mask;
    if (known >= k) counts[word] += 1;
  }
  return answer("[" + counts.join(",") + "]");
}
`;

const [file, given = "4"] = process.argv.slice(2);
if (!file) throw new Error("Usage: node kmers.mjs FILE.fasta [K]");
const k = Number(given);
const pieceLength = 16_384;

async function* pieces() {
  for (const record of (await readFile(file, "utf8")).split(/^>.*$/m)) {
    const sequence = record.replace(/\s/g, "").toUpperCase();
    for (let at = 0; at + k <= sequence.length; at += pieceLength) yield sequence.slice(at, at + pieceLength + k - 1);
  }
}

const grid = connect(process.env.QUEZTL_URL ?? "http://localhost:8000", { key: process.env.QUEZTL_KEY });
const total = new Array(4 ** k).fill(0);
const options = { source, params: k, limits: { output_bytes: 12 * 4 ** k }, batch: 64 };
for await (const { value } of grid.map(pieces(), options))
  for (const [word, count] of value.entries()) total[word] += count;

const name = (word) => Array.from({ length: k }, (_, at) => "ACGT"[(word >> (2 * (k - 1 - at))) & 3]).join("");
const most = [...total.entries()].sort(([a, x], [b, y]) => y - x || a - b).slice(0, 5);
console.log(
  `${total.reduce((sum, count) => sum + count, 0)} ${k}-mers; most of them ${most.map(([word, count]) => `${name(word)} ${count}`).join(", ")}.`,
);
