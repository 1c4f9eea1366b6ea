/**
 * LINPACK in mixed precision, as HPL-MxP has it: the GPU factorises the matrix in f32, and its factors precondition GMRES
 * in f64 on the host until HPL's residual is that of a solution in f64 (Carson and Higham, "Accelerating the solution of
 * linear systems by iterative refinement in three precisions", 2018). Each turn of the GPU solves for one right side.
 */
import type { GpuSession } from "../../contract.ts";
import { KernelError } from "../../run/errors.ts";
import { MATRIX_A, random } from "./entries.ts";
import { encodeSolution, paramsOf } from "./layout.ts";
import { type LinpackPayload, orderOf } from "./payload.ts";
import { residual, rightSideOf, seedOfRun } from "./residual.ts";

/** Columns that are factorised together; the number is the shader's too. */
const BLOCK = 32;
const HEADER_WORDS = 8;
/** Entries that an invocation makes of a row. */
const MADE = 16;
/** Rows and columns that an invocation updates. */
const UPDATED = 4;
const SEARCHERS = 64;

export const scratchBytesOf = (payload: LinpackPayload): number => {
  const n = orderOf(payload);
  return 4 * (n * n + 2 * n + 2 * SEARCHERS);
};

/**
 * A block takes three passes for each of its columns, one for the rows of U and one for the rest. The first turn
 * factorises, and solves for what the parameters hold; the others solve only.
 */
export function passesOf(payload: LinpackPayload, turn: number): number[] {
  const n = orderOf(payload);
  const factorise = [n * Math.ceil(n / MADE)];
  const forward: number[] = [];
  const back: number[] = [];
  for (let k = 0; k < n; k += BLOCK) {
    const width = Math.min(BLOCK, n - k);
    for (let j = k; j < k + BLOCK; j++) factorise.push(...(j < n ? [SEARCHERS, width, n - 1 - j] : [0, 0, 0]));
    const rest = n - k - width;
    factorise.push(n - width, Math.ceil(rest / UPDATED) ** 2);
    forward.push(1, rest);
    // From the last block on.
    back.unshift(1, k);
  }
  return [...(turn === 0 ? factorise : factorise.map(() => 0)), 1, ...forward, ...back, n];
}

/** With room for the right side. */
export function firstParams(payload: LinpackPayload): Uint8Array {
  const words = new Uint32Array(HEADER_WORDS + orderOf(payload));
  words.set(new Uint32Array(paramsOf(payload).slice().buffer));
  new Float32Array(words.buffer, 4 * HEADER_WORDS).fill(1);
  return new Uint8Array(words.buffer);
}

/** Rows of A in memory at a time. */
const ROWS = 64;
/** Directions before GMRES begins anew, and how often. */
const DIRECTIONS = 12;
const RESTARTS = 8;
/** HPL allows 16; f64 gives well below 1. */
const RESIDUAL_DUE = 1;

type Solving = Generator<Float64Array, void, Float64Array>;

export class MixedSystem implements GpuSession {
  readonly #n: number;
  readonly #seed: number;
  readonly #b: Float64Array;
  readonly #x: Float64Array;
  readonly #solving: Solving;
  #scale = 1;

  constructor(
    private readonly payload: LinpackPayload,
    private readonly run: number,
  ) {
    this.#n = orderOf(payload);
    this.#seed = seedOfRun(payload, run);
    this.#b = rightSideOf(payload, run);
    this.#x = new Float64Array(this.#n);
    this.#solving = this.#solve();
  }

  next(output: Uint8Array): Uint8Array | null {
    const { buffer, byteOffset } = output.slice();
    const solved = Float64Array.from(new Float32Array(buffer, byteOffset, this.#n), (value) => value * this.#scale);
    if (!solved.every(Number.isFinite)) throw new KernelError("kernel_trap", "The matrix is singular in f32.");
    const { done, value } = this.#solving.next(solved);
    return done ? null : this.#paramsFor(value);
  }

  partial(ms: number): Uint8Array {
    return encodeSolution({ ms, run: this.run, x: this.#x });
  }

  /** A right side in f32, of size 1 so that nothing of it is lost. */
  #paramsFor(side: Float64Array): Uint8Array {
    const bytes = firstParams(this.payload);
    this.#scale = largest(side) || 1;
    new Float32Array(bytes.buffer, 4 * HEADER_WORDS).set(side.map((value) => value / this.#scale));
    return bytes;
  }

  /** Yields right sides, and is given what the factors make of them. */
  *#solve(): Solving {
    // What the first turn solved for is of no use: its factors are.
    for (let restart = 0; restart < RESTARTS; restart++) {
      const off = this.#minus(this.#b, this.#times(this.#x));
      const start = yield off;
      yield* this.#refine(start);
      if (this.#residual() <= RESIDUAL_DUE) return;
    }
    throw new KernelError("kernel_trap", "The factors in f32 are too coarse for this matrix.");
  }

  /** Left-preconditioned GMRES for the correction (Saad and Schultz, 1986), by modified Gram-Schmidt. */
  *#refine(start: Float64Array): Solving {
    const size = norm(start);
    if (size === 0) return;
    const basis = [start.map((value) => value / size)];
    const columns: number[][] = [];
    for (let step = 0; step < DIRECTIONS; step++) {
      const direction = yield this.#times(basis[step] as Float64Array);
      const column = basis.map((earlier) => {
        const share = dot(direction, earlier);
        for (let i = 0; i < this.#n; i++) direction[i] = (direction[i] as number) - share * (earlier[i] as number);
        return share;
      });
      const left = norm(direction);
      columns.push([...column, left]);
      if (left < 1e-12 || leastSquares(columns, size).off < 1e-9 * size) break;
      basis.push(direction.map((value) => value / left));
    }
    for (const [at, share] of leastSquares(columns, size).shares.entries()) {
      const direction = basis[at] as Float64Array;
      for (let i = 0; i < this.#n; i++) this.#x[i] = (this.#x[i] as number) + share * (direction[i] as number);
    }
  }

  #times(x: Float64Array): Float64Array {
    const product = new Float64Array(this.#n);
    for (let first = 0; first < this.#n; first += ROWS) {
      const rows = Math.min(ROWS, this.#n - first);
      const a = this.#rows(first, rows);
      for (let i = 0, at = 0; i < rows; i++) {
        let sum = 0;
        for (let j = 0; j < this.#n; j++, at++) sum += (a[at] as number) * (x[j] as number);
        product[first + i] = sum;
      }
    }
    return product;
  }

  #rows(first: number, count: number): Float64Array {
    return random(MATRIX_A, this.#seed, false, first, 0, count, this.#n) as Float64Array;
  }

  #minus(a: Float64Array, b: Float64Array): Float64Array {
    return a.map((value, at) => value - (b[at] as number));
  }

  #residual(): number {
    return residual((first, rows) => this.#rows(first, rows), this.#b, this.#x);
  }
}

const dot = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, value, at) => sum + value * (b[at] as number), 0);
const norm = (a: Float64Array): number => Math.sqrt(dot(a, a));
const largest = (a: Float64Array): number => a.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** The combination of directions that comes nearest to (size, 0, ...), by Givens rotations of the Hessenberg columns. */
function leastSquares(columns: readonly (readonly number[])[], size: number): { shares: number[]; off: number } {
  const upper = columns.map((column) => [...column]);
  const right = [size, ...columns.map(() => 0)];
  for (const [k, column] of upper.entries()) {
    const [above, below] = [column[k] as number, column[k + 1] as number];
    const length = Math.hypot(above, below) || 1;
    const [cosine, sine] = [above / length, below / length];
    for (const later of upper.slice(k)) {
      const [one, other] = [later[k] as number, (later[k + 1] as number | undefined) ?? 0];
      later[k] = cosine * one + sine * other;
      later[k + 1] = cosine * other - sine * one;
    }
    const [one, other] = [right[k] as number, right[k + 1] as number];
    right[k] = cosine * one + sine * other;
    right[k + 1] = cosine * other - sine * one;
  }
  const shares = new Array<number>(upper.length).fill(0);
  for (let i = upper.length - 1; i >= 0; i--) {
    let sum = right[i] as number;
    for (let j = i + 1; j < upper.length; j++) sum -= (upper[j]?.[i] as number) * (shares[j] as number);
    shares[i] = sum / (upper[i]?.[i] as number);
  }
  return { shares, off: Math.abs(right[upper.length] as number) };
}
