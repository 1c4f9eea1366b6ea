/**
 * Freivalds' check of C = A B by tiles: C r = A (B r) for a random r that nodes do not know, which costs a row of A for
 * each row of C instead of the whole product (Freivalds, "Probabilistic machines can use less running time", IFIP 1977).
 *
 * Each |r_j| lies between 1/2 and 1, so that an error of one entry shows by at least half. What rounding may explain is
 * subtracted: of a sum of k products at most g |A| |B| |r|, with g = k u in f64 (Higham, "Accuracy and Stability of Numerical
 * Algorithms", 2002, 3.1), and g = 8 sqrt(k) u in f32, which all but 2k exp(-32) of sums keep where roundings are
 * independent (Higham and Mary, SIAM J. Sci. Comput. 41(5), 2019).
 */
import { randomFillSync } from "node:crypto";
import { MATRIX_A, MATRIX_B, random } from "./entries.ts";
import type { Tile } from "./layout.ts";
import { entriesOf, isSingle, type MatmulPayload, seedOf, sizesOf, TILE, tileAt } from "./payload.ts";

/** A matrix's entries, made or given. */
type Part = (row: number, column: number, rows: number, columns: number) => Float64Array;

interface Projected {
  /** r of the strip's columns. */
  r: Float64Array;
  /** B r, and |B| |r|. */
  by: Float64Array;
  bound: Float64Array;
}

export class Freivalds {
  readonly #sizes;
  readonly #growth: number;
  readonly #floor: number;
  readonly #a: Part;
  readonly #b: Part;
  readonly #strips = new Map<number, Projected>();
  /** The band of A that was needed last: tiles come band by band. */
  #band: { index: number; entries: Float64Array } | null = null;

  constructor(payload: MatmulPayload) {
    const single = isSingle(payload);
    this.#sizes = sizesOf(payload);
    const { inner, columns } = this.#sizes;
    // The check's own sums, in f64, are of `inner` and of TILE numbers.
    const own = 2 * (inner + TILE) * 2 ** -53;
    this.#growth = own + (single ? 8 * Math.sqrt(inner) * 2 ** -24 : inner * 2 ** -53);
    // What is below the smallest normal number is rounded by more.
    this.#floor = inner * (single ? 2 ** -149 : 2 ** -1070);
    this.#a = partOf(payload.a, MATRIX_A, seedOf(payload), single, inner);
    this.#b = partOf(payload.b, MATRIX_B, seedOf(payload), single, columns);
  }

  /** Null where the tile is right, as far as rounding allows, else what is wrong. */
  fault({ tile, height, width, entries }: Tile): string | null {
    const due = tileAt(this.#sizes, tile);
    if (height !== due.height || width !== due.width)
      return `it has ${height} x ${width} entries, not ${due.height} x ${due.width}`;
    const { r, by, bound } = this.#strip(due.strip, width);
    const band = this.#bandOf(due.band, height);
    const { inner } = this.#sizes;
    for (let i = 0; i < height; i++) {
      let claimed = 0;
      for (let j = 0; j < width; j++) claimed += (entries[i * width + j] as number) * (r[j] as number);
      let right = 0;
      let allowed = 0;
      for (let l = 0, at = i * inner; l < inner; l++, at++) {
        const a = band[at] as number;
        right += a * (by[l] as number);
        allowed += Math.abs(a) * (bound[l] as number);
      }
      const off = Math.abs(claimed - right);
      // Also where it is no number.
      if (!(off <= this.#growth * allowed + this.#floor * width))
        return `row ${due.band * TILE + i} is off by ${off.toExponential(1)}, of which rounding explains ${(this.#growth * allowed).toExponential(1)}`;
    }
    return null;
  }

  #strip(strip: number, width: number): Projected {
    const known = this.#strips.get(strip);
    if (known) return known;
    const { inner } = this.#sizes;
    const r = secretSigns(width);
    const entries = this.#b(0, strip * TILE, inner, width);
    const by = new Float64Array(inner);
    const bound = new Float64Array(inner);
    for (let l = 0, at = 0; l < inner; l++) {
      let sum = 0;
      let size = 0;
      for (let j = 0; j < width; j++, at++) {
        const product = (entries[at] as number) * (r[j] as number);
        sum += product;
        size += Math.abs(product);
      }
      by[l] = sum;
      bound[l] = size;
    }
    const made = { r, by, bound };
    this.#strips.set(strip, made);
    return made;
  }

  #bandOf(index: number, height: number): Float64Array {
    if (this.#band?.index !== index) {
      this.#band = { index, entries: this.#a(index * TILE, 0, height, this.#sizes.inner) };
    }
    return this.#band.entries;
  }
}

/** Numbers of size 1/2 to 1, with either sign. */
function secretSigns(count: number): Float64Array {
  const bits = randomFillSync(new Uint32Array(count));
  return Float64Array.from(bits, (word) => (word & 1 ? 1 : -1) * (0.5 + word / 2 ** 33));
}

function partOf(given: MatmulPayload["a"], matrix: number, seed: number, single: boolean, stride: number): Part {
  if (given === undefined)
    return (row, column, rows, columns) => random(matrix, seed, single, row, column, rows, columns);
  const all = single ? Float64Array.from(Float32Array.from(entriesOf(given))) : entriesOf(given);
  return (row, column, rows, columns) => {
    const part = new Float64Array(rows * columns);
    for (let i = 0; i < rows; i++) {
      const from = (row + i) * stride + column;
      part.set(all.subarray(from, from + columns), i * columns);
    }
    return part;
  };
}
