// Tiles of a product in f32, with the entries and the numbering of matmul.as.ts; bindings as kernels/contract.ts says.
// An invocation keeps 8 x 8 sums in registers: each step of the inner index reads, or makes, 16 entries for 64 products.

struct Chunk {
  taskLo: u32, taskHi: u32,
  tasks: u32,
  first: u32, count: u32,
  width: u32, pass_: u32, pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: array<u32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32, 4096>;
@group(0) @binding(2) var<uniform> chunk: Chunk;
@group(0) @binding(4) var<storage, read_write> scratch: array<f32>;

const LINPACK = 1u;

const FLAGS = 1u;
const ROWS = 2u;
const COLUMNS = 3u;
const INNER = 4u;
const SEED_LOW = 5u;
const SEED_HIGH = 6u;
const HEADER = 8u;
const GIVEN = 2u;
const TILE = 64u;
const GROUP = 16u;
const MATRIX_A = 0u;
const MATRIX_B = 0x9e3779b9u;
const KEYS_OF_COLUMNS = 0x7f4a7c15u;
const UNIT = 5.9604644775390625e-8;

fn mix1(given: u32) -> u32 {
  var x = given;
  x ^= x >> 16u;
  x *= 0x21f0aaadu;
  x ^= x >> 15u;
  x *= 0xd35a2d97u;
  return x ^ (x >> 15u);
}

fn mix4(given: vec4<u32>) -> vec4<u32> {
  var x = given;
  x ^= x >> vec4<u32>(16u);
  x *= 0x21f0aaadu;
  x ^= x >> vec4<u32>(15u);
  x *= 0xd35a2d97u;
  return x ^ (x >> vec4<u32>(15u));
}

fn keys(base: u32, first: u32) -> vec4<u32> {
  return mix4(vec4<u32>(base + first) + vec4<u32>(0u, 1u, 2u, 3u));
}

fn entries(four: vec4<u32>, key: u32) -> vec4<f32> {
  return vec4<f32>(vec4<i32>(mix4(four ^ vec4<u32>(key))) >> vec4<u32>(8u)) * UNIT;
}

fn given(base: u32, at: vec4<u32>) -> vec4<f32> {
  return vec4<f32>(
    bitcast<f32>(params[base + at.x]), bitcast<f32>(params[base + at.y]),
    bitcast<f32>(params[base + at.z]), bitcast<f32>(params[base + at.w]));
}

fn plus(c: vec4<f32>, a: f32, b: vec4<f32>) -> vec4<f32> {
  return c + a * b;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let offset = id.y * chunk.width + id.x;
  if (offset >= chunk.count) { return; }
  let invocation = chunk.first + offset;
  if (params[0] == LINPACK) {
    system(invocation);
    return;
  }
  let rows = params[ROWS];
  let columns = params[COLUMNS];
  let inner = params[INNER];
  let isGiven = (params[FLAGS] & GIVEN) != 0u;

  let bands = (rows + TILE - 1u) / TILE;
  let strips = (columns + TILE - 1u) / TILE;
  let group = chunk.taskLo / (GROUP * bands);
  let together = min(GROUP, strips - group * GROUP);
  let within = chunk.taskLo - group * GROUP * bands;
  let band = within / together;
  let strip = group * GROUP + within % together;
  let top = (invocation / 8u) * 8u;
  let left = (invocation % 8u) * 8u;
  let row = band * TILE + top;
  let column = strip * TILE + left;

  // Beyond the edge the last row or column is read again, and what comes of it is not.
  let lanes = vec4<u32>(0u, 1u, 2u, 3u);
  let rowsLow = min(vec4<u32>(row) + lanes, vec4<u32>(rows - 1u)) * inner;
  let rowsHigh = min(vec4<u32>(row + 4u) + lanes, vec4<u32>(rows - 1u)) * inner;
  let columnsLow = min(vec4<u32>(column) + lanes, vec4<u32>(columns - 1u));
  let columnsHigh = min(vec4<u32>(column + 4u) + lanes, vec4<u32>(columns - 1u));
  let baseA = HEADER;
  let baseB = HEADER + rows * inner;

  let rowBaseA = mix1(params[SEED_LOW] ^ MATRIX_A);
  let rowBaseB = mix1(params[SEED_LOW] ^ MATRIX_B);
  let columnBaseA = mix1(params[SEED_HIGH] ^ (MATRIX_A + KEYS_OF_COLUMNS));
  let columnBaseB = mix1(params[SEED_HIGH] ^ (MATRIX_B + KEYS_OF_COLUMNS));
  let keysA0 = keys(rowBaseA, row);
  let keysA1 = keys(rowBaseA, row + 4u);
  let keysB0 = keys(columnBaseB, column);
  let keysB1 = keys(columnBaseB, column + 4u);

  var c00 = vec4<f32>(); var c01 = vec4<f32>();
  var c10 = vec4<f32>(); var c11 = vec4<f32>();
  var c20 = vec4<f32>(); var c21 = vec4<f32>();
  var c30 = vec4<f32>(); var c31 = vec4<f32>();
  var c40 = vec4<f32>(); var c41 = vec4<f32>();
  var c50 = vec4<f32>(); var c51 = vec4<f32>();
  var c60 = vec4<f32>(); var c61 = vec4<f32>();
  var c70 = vec4<f32>(); var c71 = vec4<f32>();
  for (var k = 0u; k < inner; k++) {
    var a0: vec4<f32>;
    var a1: vec4<f32>;
    var b0: vec4<f32>;
    var b1: vec4<f32>;
    if (isGiven) {
      a0 = given(baseA, rowsLow + k);
      a1 = given(baseA, rowsHigh + k);
      b0 = given(baseB, columnsLow + k * columns);
      b1 = given(baseB, columnsHigh + k * columns);
    } else {
      let keyA = mix1(columnBaseA + k);
      let keyB = mix1(rowBaseB + k);
      a0 = entries(keysA0, keyA);
      a1 = entries(keysA1, keyA);
      b0 = entries(keysB0, keyB);
      b1 = entries(keysB1, keyB);
    }
    c00 = plus(c00, a0.x, b0); c01 = plus(c01, a0.x, b1);
    c10 = plus(c10, a0.y, b0); c11 = plus(c11, a0.y, b1);
    c20 = plus(c20, a0.z, b0); c21 = plus(c21, a0.z, b1);
    c30 = plus(c30, a0.w, b0); c31 = plus(c31, a0.w, b1);
    c40 = plus(c40, a1.x, b0); c41 = plus(c41, a1.x, b1);
    c50 = plus(c50, a1.y, b0); c51 = plus(c51, a1.y, b1);
    c60 = plus(c60, a1.z, b0); c61 = plus(c61, a1.z, b1);
    c70 = plus(c70, a1.w, b0); c71 = plus(c71, a1.w, b1);
  }

  write(top, left, c00, c01);
  write(top + 1u, left, c10, c11);
  write(top + 2u, left, c20, c21);
  write(top + 3u, left, c30, c31);
  write(top + 4u, left, c40, c41);
  write(top + 5u, left, c50, c51);
  write(top + 6u, left, c60, c61);
  write(top + 7u, left, c70, c71);
}

fn write(row: u32, column: u32, low: vec4<f32>, high: vec4<f32>) {
  let at = row * TILE + column;
  output[at] = low.x;
  output[at + 1u] = low.y;
  output[at + 2u] = low.z;
  output[at + 3u] = low.w;
  output[at + 4u] = high.x;
  output[at + 5u] = high.y;
  output[at + 6u] = high.z;
  output[at + 7u] = high.w;
}

// LINPACK in mixed precision (mixed.ts): LU with partial pivoting in f32, right-looking, in blocks of BLOCK columns; then
// forward and back substitution of the right side that follows the header. Passes are numbered as mixed.ts counts them.
// Scratch: A row by row, the pivots' rows, the right side at hand, and what the searchers of a pivot found.

const BLOCK = 32u;
const PER_BLOCK = 98u;
const MADE = 16u;
const UPDATED = 4u;
const SEARCHERS = 64u;

fn system(invocation: u32) {
  let n = params[ROWS];
  let blocks = (n + BLOCK - 1u) / BLOCK;
  if (chunk.pass_ == 0u) {
    make(n, invocation);
    return;
  }
  let at = chunk.pass_ - 1u;
  if (at < blocks * PER_BLOCK) {
    let k = (at / PER_BLOCK) * BLOCK;
    let within = at % PER_BLOCK;
    if (within == PER_BLOCK - 2u) { solveRows(n, k, invocation); }
    else if (within == PER_BLOCK - 1u) { update(n, k, invocation); }
    else if (within % 3u == 0u) { search(n, k + within / 3u, invocation); }
    else if (within % 3u == 1u) { exchange(n, k, k + within / 3u, invocation); }
    else { eliminate(n, k, k + within / 3u, invocation); }
    return;
  }
  let step = at - blocks * PER_BLOCK;
  if (step == 0u) { permute(n); }
  else if (step <= 2u * blocks) { forward(n, ((step - 1u) / 2u) * BLOCK, (step - 1u) % 2u == 0u, invocation); }
  else if (step <= 4u * blocks) {
    let block = blocks - 1u - (step - 1u - 2u * blocks) / 2u;
    back(n, block * BLOCK, (step - 1u) % 2u == 0u, invocation);
  }
  else { output[invocation] = scratch[n * n + n + invocation]; }
}

fn make(n: u32, invocation: u32) {
  let parts = (n + MADE - 1u) / MADE;
  let row = invocation / parts;
  let left = (invocation % parts) * MADE;
  let rowKey = mix1(mix1((params[SEED_LOW] + chunk.taskLo) ^ MATRIX_A) + row);
  let columnBase = mix1(params[SEED_HIGH] ^ (MATRIX_A + KEYS_OF_COLUMNS));
  for (var column = left; column < min(left + MADE, n); column++) {
    scratch[row * n + column] = f32(bitcast<i32>(mix1(rowKey ^ mix1(columnBase + column)))) * 2.3283064365386963e-10;
  }
}

fn search(n: u32, j: u32, invocation: u32) {
  var largest = -1.0;
  var found = j;
  for (var i = j + invocation; i < n; i += SEARCHERS) {
    let size = abs(scratch[i * n + j]);
    if (size > largest) {
      largest = size;
      found = i;
    }
  }
  scratch[n * n + 2u * n + invocation] = largest;
  scratch[n * n + 2u * n + SEARCHERS + invocation] = f32(found);
}

fn pivotOf(n: u32) -> u32 {
  let base = n * n + 2u * n;
  var largest = scratch[base];
  var found = scratch[base + SEARCHERS];
  for (var i = 1u; i < SEARCHERS; i++) {
    if (scratch[base + i] > largest) {
      largest = scratch[base + i];
      found = scratch[base + SEARCHERS + i];
    }
  }
  return u32(found);
}

// Within the panel; the other columns follow when its pivots are known.
fn exchange(n: u32, k: u32, j: u32, invocation: u32) {
  let pivot = pivotOf(n);
  if (invocation == 0u) { scratch[n * n + j] = f32(pivot); }
  if (pivot == j) { return; }
  let column = k + invocation;
  let kept = scratch[j * n + column];
  scratch[j * n + column] = scratch[pivot * n + column];
  scratch[pivot * n + column] = kept;
}

fn eliminate(n: u32, k: u32, j: u32, invocation: u32) {
  let row = (j + 1u + invocation) * n;
  let multiplier = scratch[row + j] / scratch[j * n + j];
  scratch[row + j] = multiplier;
  for (var column = j + 1u; column < min(k + BLOCK, n); column++) {
    scratch[row + column] -= multiplier * scratch[j * n + column];
  }
}

// A column outside of the panel: the pivots' rows, and right of it the rows of U.
fn solveRows(n: u32, k: u32, invocation: u32) {
  let width = min(BLOCK, n - k);
  let column = select(invocation + width, invocation, invocation < k);
  for (var j = k; j < k + width; j++) {
    let pivot = u32(scratch[n * n + j]);
    let kept = scratch[j * n + column];
    scratch[j * n + column] = scratch[pivot * n + column];
    scratch[pivot * n + column] = kept;
  }
  if (column < k) { return; }
  for (var i = k + 1u; i < k + width; i++) {
    var sum = scratch[i * n + column];
    for (var j = k; j < i; j++) { sum -= scratch[i * n + j] * scratch[j * n + column]; }
    scratch[i * n + column] = sum;
  }
}

// UPDATED x UPDATED entries below and right of the panel; at the edge the last ones are read again, and not written.
fn update(n: u32, k: u32, invocation: u32) {
  let begin = k + BLOCK;
  let parts = (n - begin + UPDATED - 1u) / UPDATED;
  let top = begin + (invocation / parts) * UPDATED;
  let left = begin + (invocation % parts) * UPDATED;
  let rows = min(vec4<u32>(top) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(n - 1u)) * n;
  let columns = min(vec4<u32>(left) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(n - 1u));
  var s0 = vec4<f32>(); var s1 = vec4<f32>(); var s2 = vec4<f32>(); var s3 = vec4<f32>();
  for (var j = k; j < begin; j++) {
    let upper = j * n;
    let u = vec4<f32>(
      scratch[upper + columns.x], scratch[upper + columns.y], scratch[upper + columns.z], scratch[upper + columns.w]);
    s0 = plus(s0, scratch[rows.x + j], u);
    s1 = plus(s1, scratch[rows.y + j], u);
    s2 = plus(s2, scratch[rows.z + j], u);
    s3 = plus(s3, scratch[rows.w + j], u);
  }
  subtract(n, top, left, s0);
  subtract(n, top + 1u, left, s1);
  subtract(n, top + 2u, left, s2);
  subtract(n, top + 3u, left, s3);
}

fn subtract(n: u32, row: u32, column: u32, sums: vec4<f32>) {
  if (row >= n) { return; }
  let at = row * n + column;
  scratch[at] -= sums.x;
  if (column + 1u < n) { scratch[at + 1u] -= sums.y; }
  if (column + 2u < n) { scratch[at + 2u] -= sums.z; }
  if (column + 3u < n) { scratch[at + 3u] -= sums.w; }
}

fn permute(n: u32) {
  let side = n * n + n;
  for (var i = 0u; i < n; i++) { scratch[side + i] = bitcast<f32>(params[HEADER + i]); }
  for (var j = 0u; j < n; j++) {
    let pivot = u32(scratch[n * n + j]);
    let kept = scratch[side + j];
    scratch[side + j] = scratch[side + pivot];
    scratch[side + pivot] = kept;
  }
}

fn forward(n: u32, k: u32, diagonal: bool, invocation: u32) {
  let side = n * n + n;
  let end = min(k + BLOCK, n);
  if (diagonal) {
    for (var i = k + 1u; i < end; i++) {
      var sum = scratch[side + i];
      for (var j = k; j < i; j++) { sum -= scratch[i * n + j] * scratch[side + j]; }
      scratch[side + i] = sum;
    }
    return;
  }
  let row = end + invocation;
  var sum = scratch[side + row];
  for (var j = k; j < end; j++) { sum -= scratch[row * n + j] * scratch[side + j]; }
  scratch[side + row] = sum;
}

fn back(n: u32, k: u32, diagonal: bool, invocation: u32) {
  let side = n * n + n;
  let end = min(k + BLOCK, n);
  if (diagonal) {
    for (var i = end; i > k; i--) {
      let row = i - 1u;
      var sum = scratch[side + row];
      for (var j = i; j < end; j++) { sum -= scratch[row * n + j] * scratch[side + j]; }
      scratch[side + row] = sum / scratch[row * n + row];
    }
    return;
  }
  var sum = scratch[side + invocation];
  for (var j = k; j < end; j++) { sum -= scratch[invocation * n + j] * scratch[side + j]; }
  scratch[side + invocation] = sum;
}
