/**
 * The kernels of scientific_computing, told apart by the first word of the parameters (`layout.ts`). The ABI is that of
 * `kernels/contract.ts`.
 */
import { beginSystem, initSystem, stepSystem, systemBytes, systemDone, systemLength, systemTook } from "./linpack.as";
import { beginLu, initLu, luBytes, luLength, stepLu } from "./lu.as";
import { beginTiles, initTiles, stepTiles, tileBytes, tileLength, tilesDone } from "./matmul.as";

const MATMUL: u32 = 0;
const LINPACK: u32 = 1;
const LU: u32 = 2;

let given: usize = 0;
let givenLength: i32 = 0;
let problem: u32 = MATMUL;
let handed: usize = 0;
let roundLength: i32 = 0;

export function params(length: i32): i32 {
  given = heap.alloc(<usize>length);
  givenLength = length;
  return <i32>given;
}

/** What the rounds before came to. */
export function round(length: i32): i32 {
  handed = heap.alloc(<usize>length);
  roundLength = length;
  return <i32>handed;
}

/** 1: the parameters have another length. 2: the problem is unknown. 3: a size is out of bounds. */
export function init(): i32 {
  if (givenLength < 32) return 1;
  problem = load<u32>(given);
  if (problem == MATMUL) return initTiles(given, givenLength);
  if (problem == LINPACK) return initSystem(given);
  return problem == LU ? initLu(given, givenLength, handed, roundLength) : 2;
}

export function begin(lo: f64, hi: f64): void {
  if (problem == MATMUL) beginTiles(<u32>lo, <u32>hi);
  else if (problem == LINPACK) beginSystem(<u32>lo, <u32>hi);
  else beginLu(<u32>lo, <u32>hi);
}

export function step(units: i32): i32 {
  if (problem == MATMUL) return stepTiles(units);
  return problem == LINPACK ? stepSystem(units) : stepLu();
}

export function fraction(): f64 {
  if (problem == MATMUL) return tilesDone();
  return problem == LINPACK ? systemDone() : 0;
}

export function took(ms: f64): void {
  if (problem == LINPACK) systemTook(ms);
}

export function partial(): i32 {
  if (problem == MATMUL) return <i32>tileBytes();
  return <i32>(problem == LINPACK ? systemBytes() : luBytes());
}

export function partialLength(): i32 {
  if (problem == MATMUL) return tileLength();
  return problem == LINPACK ? systemLength() : luLength();
}
