/**
 * The kernel of the calibration and of conformance, as a researcher might write it: how many primes there are among the
 * 2,000 numbers that follow on 2,000 times the task's number. Jobs bring modules of their own.
 */
import { answer, index } from "../../assembly/queztl";

export { alloc } from "../../assembly/queztl";

export function run(at: usize, _length: i32): u64 {
  const from = index(at) * 2000;
  let count = 0;
  for (let n = from; n < from + 2000; n++) if (isPrime(n)) count++;
  return answer(count.toString());
}

function isPrime(n: u64): bool {
  if (n < 4) return n > 1;
  if (n % 2 == 0) return false;
  for (let d: u64 = 3; d * d <= n; d += 2) if (n % d == 0) return false;
  return true;
}
