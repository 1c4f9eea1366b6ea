/** What a researcher asks for: a matrix product, or LINPACK's system of equations; and what follows from the defaults. */
import * as z from "zod";

/** A product is cut into tiles of TILE x TILE entries, each a grain. */
export const TILE = 64;
/** Strips of TILE columns that are computed together, so that their packed parts of B are made once. */
export const GROUP = 16;
export const SIZE_MAX = 8192;
/** 64 MiB of f64: the coordinator puts the product together in memory. */
export const PRODUCT_ENTRIES_MAX = 2 ** 23;
/** Of a matrix that is given. */
const GIVEN_ENTRIES_MAX = 2 ** 20;
/** Products and their sums stay finite, in f32 too. */
const GIVEN_MAGNITUDE_MAX = 1e15;
/** 72 MiB, and some five seconds of one core. */
export const SYSTEM_MAX = 3072;
const SYSTEM_DEFAULT = 1024;
/** Each node is sent L and U so far in each round: 8 MiB at the end. */
export const LU_MAX = 1024;
const LU_DEFAULT = 512;
const RUNS_MAX = 100_000;

const size = (what: string, max: number) =>
  z
    .number(`a whole number: ${what}`)
    .int(`a whole number: ${what}`)
    .min(1, `at least 1: ${what}`)
    .max(max, `at most ${max}: ${what}`);

const seed = z
  .number("a whole number")
  .int("a whole number")
  .min(0, "at least 0")
  .max(Number.MAX_SAFE_INTEGER, "at most 2^53 - 1")
  .optional()
  .describe("Of the random entries, which lie in [-1/2, 1/2). Default 0.");

const entry = z.number("a number").min(-GIVEN_MAGNITUDE_MAX, "at least -1e15").max(GIVEN_MAGNITUDE_MAX, "at most 1e15");
const matrix = z.union(
  [
    z.array(z.array(entry).min(1, "at least one entry").max(SIZE_MAX)).min(1, "at least one row").max(SIZE_MAX),
    z.strictObject({
      rows: size("rows of the matrix", SIZE_MAX),
      columns: size("columns of the matrix", SIZE_MAX),
      base64: z.string("its entries as base64").describe("f64, little-endian, row by row."),
    }),
  ],
  "rows of numbers, or {rows, columns, base64}",
);
export type GivenMatrix = z.infer<typeof matrix>;

const matmulShape = z.strictObject({
  problem: z.literal("matmul"),
  rows: size("rows of A and of the product", SIZE_MAX).optional(),
  inner: size("columns of A, rows of B", SIZE_MAX).optional(),
  columns: size("columns of B and of the product", SIZE_MAX).optional(),
  precision: z
    .enum(["f64", "f32"], "f64 or f32")
    .optional()
    .describe("Default f64. GPUs take part in products of f32."),
  seed,
  a: matrix.optional().describe("The left matrix, in place of rows, inner and seed."),
  b: matrix.optional().describe("The right matrix."),
});
const linpackShape = z.strictObject({
  problem: z.literal("linpack"),
  n: size("equations of the system", SYSTEM_MAX).optional().describe(`Default ${SYSTEM_DEFAULT}.`),
  precision: z
    .enum(["f64", "mixed"], "f64 or mixed")
    .optional()
    .describe("f64 on CPUs, or mixed on GPUs: factorised in f32 and refined to f64. Default f64."),
  runs: size("systems to solve, each of another seed", RUNS_MAX).optional().describe("Default 1: each is one grain."),
  seed,
});

const luShape = z.strictObject({
  problem: z.literal("lu"),
  n: size("equations of the system", LU_MAX).optional().describe(`Default ${LU_DEFAULT}.`),
  seed,
  a: matrix.optional().describe("The system's own matrix, square, in place of n and seed."),
  b: z.array(entry).min(1).max(LU_MAX).optional().describe("The right side; random without it."),
});

export type LuPayload = z.infer<typeof luShape>;
export type MatmulPayload = z.infer<typeof matmulShape>;
export type LinpackPayload = z.infer<typeof linpackShape>;
export type SciencePayload = MatmulPayload | LinpackPayload | LuPayload;

export const payloadSchema: z.ZodType<SciencePayload> = z
  .discriminatedUnion("problem", [matmulShape, linpackShape, luShape], 'problem: "matmul", "linpack" or "lu"')
  .superRefine((payload, context) => {
    const faults = payload.problem === "matmul" ? faultsOf(payload) : payload.problem === "lu" ? luFaults(payload) : [];
    for (const { field, message } of faults) context.addIssue({ code: "custom", path: [field], message });
  });

interface Fault {
  field: keyof MatmulPayload | keyof LuPayload;
  message: string;
}

function faultsOf(payload: MatmulPayload): Fault[] {
  if (payload.a !== undefined || payload.b !== undefined) return givenFaults(payload);
  const faults: Fault[] = [];
  for (const field of ["rows", "inner", "columns"] as const)
    if (payload[field] === undefined) faults.push({ field, message: "needed, unless a and b are given" });
  if (faults.length > 0) return faults;
  const { rows, columns } = sizesOf(payload);
  return rows * columns > PRODUCT_ENTRIES_MAX ? [{ field: "columns", message: tooLarge(rows, columns) }] : [];
}

const tooLarge = (rows: number, columns: number): string =>
  `the product would have ${rows * columns} entries, at most ${PRODUCT_ENTRIES_MAX}: cut B into blocks of columns and submit several jobs`;

function givenFaults(payload: MatmulPayload): Fault[] {
  const { a, b } = payload;
  if (a === undefined || b === undefined)
    return [{ field: a === undefined ? "a" : "b", message: "a and b are given together" }];
  for (const field of ["rows", "inner", "columns", "seed"] as const)
    if (payload[field] !== undefined) return [{ field, message: "follows from a and b: leave it out" }];
  for (const [field, given] of [
    ["a", a],
    ["b", b],
  ] as const) {
    const message = matrixFault(given);
    if (message !== null) return [{ field, message }];
  }
  const [left, right] = [shapeOf(a), shapeOf(b)];
  if (left.columns !== right.rows) {
    return [{ field: "b", message: `has ${right.rows} rows, and a has ${left.columns} columns: they must be as many` }];
  }
  const entries = left.rows * right.columns;
  return entries > PRODUCT_ENTRIES_MAX ? [{ field: "b", message: tooLarge(left.rows, right.columns) }] : [];
}

function luFaults(payload: LuPayload): Fault[] {
  const { a, b, n } = payload;
  if (a !== undefined) {
    for (const field of ["n", "seed"] as const)
      if (payload[field] !== undefined) return [{ field, message: "follows from a: leave it out" }];
    const message = matrixFault(a);
    if (message !== null) return [{ field: "a", message }];
    const { rows, columns } = shapeOf(a);
    if (rows !== columns)
      return [{ field: "a", message: `has ${rows} rows and ${columns} columns: it must be square` }];
    if (rows > LU_MAX) return [{ field: "a", message: `has ${rows} rows, at most ${LU_MAX}` }];
  }
  const due = a === undefined ? (n ?? LU_DEFAULT) : shapeOf(a).rows;
  return b === undefined || b.length === due
    ? []
    : [{ field: "b", message: `has ${b.length} numbers, and ${due} are due` }];
}

function matrixFault(given: GivenMatrix): string | null {
  const { rows, columns } = shapeOf(given);
  if (rows * columns > GIVEN_ENTRIES_MAX) return `has ${rows * columns} entries, at most ${GIVEN_ENTRIES_MAX}`;
  if (Array.isArray(given)) {
    const short = given.findIndex((row) => row.length !== columns);
    return short < 0 ? null : `row ${short} has ${given[short]?.length} entries, and row 0 has ${columns}`;
  }
  const bytes = rows * columns * 8;
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(given.base64)) return "base64 has other characters";
  const { length } = decode64(given.base64);
  if (length !== bytes) return `base64 holds ${length} bytes, and the entries take ${bytes}`;
  const odd = entriesOf(given).findIndex((value) => !(Math.abs(value) <= GIVEN_MAGNITUDE_MAX));
  return odd < 0 ? null : `entry ${odd} is no number from -1e15 to 1e15`;
}

const decode64 = (text: string): Uint8Array => {
  const binary = atob(text);
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
};

export const shapeOf = (given: GivenMatrix): { rows: number; columns: number } =>
  Array.isArray(given) ? { rows: given.length, columns: given[0]?.length ?? 0 } : given;

/** Decoded once for each payload, and not for each tile. */
const decoded = new WeakMap<GivenMatrix, Float64Array>();

/** Row by row; not to be written to. */
export function entriesOf(given: GivenMatrix): Float64Array {
  let entries = decoded.get(given);
  if (!entries) {
    entries = decodedEntries(given);
    decoded.set(given, entries);
  }
  return entries;
}

function decodedEntries(given: GivenMatrix): Float64Array {
  if (Array.isArray(given)) return Float64Array.from(given.flat());
  const bytes = decode64(given.base64);
  const view = new DataView(bytes.buffer);
  return Float64Array.from({ length: bytes.length >> 3 }, (_, at) => view.getFloat64(8 * at, true));
}

export interface Sizes {
  rows: number;
  inner: number;
  columns: number;
}

export function sizesOf({ rows = 1, inner = 1, columns = 1, a, b }: MatmulPayload): Sizes {
  if (a === undefined || b === undefined) return { rows, inner, columns };
  return { rows: shapeOf(a).rows, inner: shapeOf(a).columns, columns: shapeOf(b).columns };
}

export const isMixed = (payload: SciencePayload): payload is LinpackPayload & { precision: "mixed" } =>
  payload.problem === "linpack" && payload.precision === "mixed";
export const isSingle = (payload: MatmulPayload): boolean => payload.precision === "f32";
export function orderOf(payload: LinpackPayload | LuPayload): number {
  if (payload.problem === "linpack") return payload.n ?? SYSTEM_DEFAULT;
  return payload.a === undefined ? (payload.n ?? LU_DEFAULT) : shapeOf(payload.a).rows;
}
export const seedOf = (payload: SciencePayload): number => payload.seed ?? 0;

export const tilesOf = ({ rows, columns }: Sizes): number => Math.ceil(rows / TILE) * Math.ceil(columns / TILE);

/** Where a tile lies: tiles of one group of strips follow each other, row band by row band. */
export function tileAt(
  { rows, columns }: Sizes,
  tile: number,
): { band: number; strip: number; height: number; width: number } {
  const bands = Math.ceil(rows / TILE);
  const strips = Math.ceil(columns / TILE);
  const group = Math.floor(tile / (GROUP * bands));
  const together = Math.min(GROUP, strips - group * GROUP);
  const within = tile - group * GROUP * bands;
  const band = Math.floor(within / together);
  const strip = group * GROUP + (within % together);
  return { band, strip, height: Math.min(TILE, rows - band * TILE), width: Math.min(TILE, columns - strip * TILE) };
}

/** Operations of a tile, or of a system as HPL counts them. */
export const tileOperations = (payload: MatmulPayload, tile: number): number => {
  const sizes = sizesOf(payload);
  const { height, width } = tileAt(sizes, tile);
  return 2 * height * width * sizes.inner;
};
export const systemOperations = (n: number): number => (2 / 3) * n ** 3 + 1.5 * n ** 2;
