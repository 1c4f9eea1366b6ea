/**
 * The kernels of scientific_computing, told apart by the first word of the parameters (`layout.ts`). The ABI is that of
 * `kernels/contract.ts`.
 */
import { beginSystem, initSystem, stepSystem, systemBytes, systemDone, systemLength, systemTook } from "./linpack.as";
import { beginTiles, initTiles, stepTiles, tileBytes, tileLength, tilesDone } from "./matmul.as";

const MATMUL: u32 = 0;
const LINPACK: u32 = 1;

let given: usize = 0;
let givenLength: i32 = 0;
let isMatmul: bool = true;

export function params(length: i32): i32 {
  given = heap.alloc(<usize>length);
  givenLength = length;
  return <i32>given;
}

/** 1: the parameters have another length. 2: the problem is unknown. 3: a size is out of bounds. */
export function init(): i32 {
  if (givenLength < 32) return 1;
  const problem = load<u32>(given);
  isMatmul = problem == MATMUL;
  if (isMatmul) return initTiles(given, givenLength);
  return problem == LINPACK ? initSystem(given) : 2;
}

export function begin(lo: f64, hi: f64): void {
  if (isMatmul) beginTiles(<u32>lo, <u32>hi);
  else beginSystem(<u32>lo, <u32>hi);
}

export function step(units: i32): i32 {
  return isMatmul ? stepTiles(units) : stepSystem(units);
}

export function fraction(): f64 {
  return isMatmul ? tilesDone() : systemDone();
}

export function took(ms: f64): void {
  if (!isMatmul) systemTook(ms);
}

export function partial(): i32 {
  return <i32>(isMatmul ? tileBytes() : systemBytes());
}

export function partialLength(): i32 {
  return isMatmul ? tileLength() : systemLength();
}
