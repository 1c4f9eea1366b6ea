/**
 * How many primes are there below a number? `node docs/examples/primes.mjs 2000000` (QUEZTL_URL, QUEZTL_KEY).
 * The program is AssemblyScript; each input is a range of numbers, each output a count, and the sum is made here.
 */
const { connect } = await import(process.env.QUEZTL_SDK ?? "./queztl-sdk.mjs");

const source = `
import { text, answer } from "./queztl";

export function run(at: usize, length: i32): u64 {
  const range = text(at, length).slice(1, -1).split(",");
  let count = 0;
  for (let n = U64.parseInt(range[0]), end = U64.parseInt(range[1]); n < end; n++) if (isPrime(n)) count++;
  return answer(count.toString());
}

function isPrime(n: u64): bool {
  if (n < 4) return n > 1;
  if (n % 2 == 0) return false;
  for (let d: u64 = 3; d * d <= n; d += 2) if (n % d == 0) return false;
  return true;
}
`;

const below = Number(process.argv[2] ?? 2_000_000);
const step = Math.max(10_000, Math.ceil(below / 4_096));

function* ranges() {
  for (let from = 0; from < below; from += step) yield [from, Math.min(below, from + step)];
}

const grid = connect(process.env.QUEZTL_URL ?? "http://localhost:8000", { key: process.env.QUEZTL_KEY });
let primes = 0;
for await (const { value } of grid.map(ranges(), { source })) primes += value;
console.log(`There are ${primes} primes below ${below}.`);
