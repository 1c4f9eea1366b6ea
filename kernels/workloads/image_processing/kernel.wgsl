// Image pipelines, a tile at a time: the stages of stages.as.ts as passes over windows of u32 samples. What depends on the
// tile (regions, taps, coordinates, tables of earlier rounds, pixels) comes with the inputs, the rest with the parameters,
// both as gpu.ts lays them out. All is in whole numbers, save Lab and the last step of CLAHE.

struct Chunk {
  taskLo: u32, taskHi: u32,
  tasks: u32,
  first: u32, count: u32,
  width: u32, pass_: u32, pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: array<u32>;
@group(0) @binding(1) var<storage, read_write> output: array<atomic<u32>>;
@group(0) @binding(2) var<uniform> chunk: Chunk;
@group(0) @binding(3) var<storage, read> inputs: array<u32>;
@group(0) @binding(4) var<storage, read_write> scratch: array<u32>;

// Header of the parameters.
const IS_DRAWN = 3u;
const SEED = 4u;
const KIND = 5u;
const STAGES = 6u;
const CELLS = 7u;
const AREA_WORDS = 8u;
const PASSES_AT = 9u;
const HEADER = 16u;
const WORDS = 16u;
// Words of a stage.
const OP = 0u;
const RADIUS = 1u;
const IN_WIDTH = 2u;
const IN_HEIGHT = 3u;
const BORDER = 4u;
const OUT_WIDTH = 5u;
const OUT_HEIGHT = 6u;
const OUT_CHANNELS = 7u;
const NUMBER0 = 8u;
const NUMBER1 = 9u;
const DATA = 10u;
const TABLE = 11u;
const IN_CHANNELS = 12u;
// Header of the inputs.
const TILE_AT = 0u;
const TABLES_AT = 1u;
const PIXELS_AT = 2u;
const REGIONS_AT = 4u;

const LOAD = 0u;
const FIRST = 1u;
const SECOND = 2u;
const WRITE = 3u;
const COUNT = 4u;

const REFLECT = 0u;
const REPLICATE = 1u;
const WHITE = 3u;

fn word(stage: u32, at: u32) -> u32 { return params[HEADER + WORDS * stage + at]; }
fn number(stage: u32, at: u32) -> i32 { return bitcast<i32>(word(stage, at)); }

/** x0, y0, x1, y1 of what stage `at` reads; after the last of what the pipeline gives. */
fn region(at: u32) -> vec4<i32> {
  let base = REGIONS_AT + 4u * at;
  return vec4<i32>(
    bitcast<i32>(inputs[base]), bitcast<i32>(inputs[base + 1u]),
    bitcast<i32>(inputs[base + 2u]), bitcast<i32>(inputs[base + 3u]));
}

/** Where the samples of what stage `at` reads begin. */
fn area(at: u32) -> u32 { return (at & 1u) * params[AREA_WORDS]; }
fn middle() -> u32 { return 2u * params[AREA_WORDS]; }

fn placeOf(src: vec4<i32>, channels: u32, x: i32, y: i32, c: u32) -> u32 {
  return u32((y - src.y) * (src.z - src.x) + (x - src.x)) * channels + c;
}

/** A byte of a table that lies packed in words. */
fn byteOf(packed: u32, at: u32) -> u32 { return (packed >> (8u * (at & 3u))) & 255u; }
fn pixelByte(at: u32) -> u32 { return byteOf(inputs[inputs[PIXELS_AT] + (at >> 2u)], at); }
fn tableByte(at: u32) -> u32 { return byteOf(inputs[inputs[TABLES_AT] + (at >> 2u)], at); }

fn clampByte(value: i32) -> u32 { return u32(clamp(value, 0, 255)); }

fn mix(given: u32) -> u32 {
  var x = given;
  x ^= x >> 16u;
  x *= 0x21f0aaadu;
  x ^= x >> 15u;
  x *= 0xd35a2d97u;
  return x ^ (x >> 15u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let offset = id.y * chunk.width + id.x;
  if (offset >= chunk.count) { return; }
  let invocation = chunk.first + offset;
  let entry = params[params[PASSES_AT] + chunk.pass_];
  let stage = entry >> 4u;
  switch (entry & 15u) {
    case LOAD: { take(invocation); }
    case FIRST: { first(stage, invocation); }
    case SECOND: { second(stage, invocation); }
    case WRITE: { write(invocation); }
    default: { count(invocation); }
  }
}

fn take(invocation: u32) {
  if (params[IS_DRAWN] == 0u) {
    scratch[area(0u) + invocation] = pixelByte(invocation);
    return;
  }
  let src = region(0u);
  let columns = u32(src.z - src.x);
  let c = invocation % 3u;
  let x = u32(src.x) + (invocation / 3u) % columns;
  let y = u32(src.y) + invocation / (3u * columns);
  let width = params[0];
  let height = params[1];
  let slope = select((x * 160u) / width, (y * 160u) / height, c == 1u);
  let dx = 2u * x - width;
  let dy = 2u * y - height;
  let ring = ((dx * dx + dy * dy) >> (8u + c)) & 64u;
  let noise = mix(mix(mix(params[SEED] + c) + x) + y) & 31u;
  scratch[area(0u) + invocation] = slope + ring + noise;
}

/** Where coordinate `i` of 0..n is read; -1 beyond, where nothing is. */
fn within(given: i32, n: i32, border: u32) -> i32 {
  var i = given;
  if (i >= 0 && i < n) { return i; }
  if (border == REPLICATE) { return select(n - 1, 0, i < 0); }
  if (border != REFLECT) { return -1; }
  if (n == 1) { return 0; }
  while (i < 0 || i >= n) { i = select(2 * (n - 1) - i, -i, i < 0); }
  return i;
}

/** A sample of what the stage reads, or what its border is beyond the image. */
fn tap(stage: u32, src: vec4<i32>, x: i32, y: i32, c: u32) -> i32 {
  let border = word(stage, BORDER);
  let column = within(x, i32(word(stage, IN_WIDTH)), border);
  let row = within(y, i32(word(stage, IN_HEIGHT)), border);
  if (column < 0 || row < 0) { return select(0, 255, border == WHITE); }
  return i32(scratch[area(stage) + placeOf(src, word(stage, IN_CHANNELS), column, row, c)]);
}

/** The pixel and channel that an invocation makes: x, y, channel, and its place in the output. */
struct Spot { x: i32, y: i32, c: u32, at: u32 }

fn spotOf(stage: u32, invocation: u32, channels: u32) -> Spot {
  let to = region(stage + 1u);
  let columns = u32(to.z - to.x);
  let pixel = invocation / channels;
  return Spot(to.x + i32(pixel % columns), to.y + i32(pixel / columns), invocation % channels, area(stage + 1u) + invocation);
}

fn first(stage: u32, invocation: u32) {
  switch (word(stage, OP)) {
    case 1u, 2u, 3u, 16u: { sumRow(stage, invocation); }
    case 4u: { median(stage, invocation); }
    case 5u: { extreme(stage, invocation); }
    case 6u: { gradient(stage, invocation); }
    case 7u: { correlate(stage, invocation); }
    case 8u: { bilateral(stage, invocation); }
    case 9u: { nonLocal(stage, invocation); }
    case 10u: { resizeRow(stage, invocation); }
    case 11u: { warp(stage, invocation); }
    case 12u: { grey(stage, invocation); }
    case 13u: { hsv(stage, invocation); }
    case 14u: { lab(stage, invocation); }
    case 15u: { translate(stage, invocation, false); }
    case 17u: { translate(stage, invocation, true); }
    case 18u: { cells(stage, invocation); }
    default: { magnitude(stage, invocation); }
  }
}

fn second(stage: u32, invocation: u32) {
  switch (word(stage, OP)) {
    case 10u: { resizeColumn(stage, invocation); }
    case 19u: { crest(stage, invocation); }
    default: { sumColumn(stage, invocation); }
  }
}

// Separable filters: sums of rows, of all rows that are read, then sums of those.

fn sumRow(stage: u32, invocation: u32) {
  let src = region(stage);
  let to = region(stage + 1u);
  let channels = word(stage, IN_CHANNELS);
  let samples = u32(to.z - to.x) * channels;
  let x = to.x + i32((invocation % samples) / channels);
  let y = src.y + i32(invocation / samples);
  let radius = i32(word(stage, RADIUS));
  let weights = word(stage, DATA);
  var sum = 0u;
  for (var k = -radius; k <= radius; k++) {
    sum += params[weights + u32(k + radius)] * u32(tap(stage, src, x + k, y, invocation % channels));
  }
  scratch[middle() + invocation] = sum;
}

fn sumColumn(stage: u32, invocation: u32) {
  let src = region(stage);
  let to = region(stage + 1u);
  let channels = word(stage, IN_CHANNELS);
  let samples = u32(to.z - to.x) * channels;
  let spot = spotOf(stage, invocation, channels);
  let radius = i32(word(stage, RADIUS));
  let weights = word(stage, DATA);
  let op = word(stage, OP);
  let isGaussian = op == 2u || op == 3u;
  let taps = u32(2 * radius + 1);
  var sum = select((taps * taps) >> 1u, 1u << 23u, isGaussian);
  for (var k = -radius; k <= radius; k++) {
    let row = within(spot.y + k, i32(word(stage, IN_HEIGHT)), word(stage, BORDER));
    sum += params[weights + u32(k + radius)] * scratch[middle() + u32(row - src.y) * samples + invocation % samples];
  }
  let soft = i32(min(select(sum / (taps * taps), sum >> 24u, isGaussian), 255u));
  if (op == 3u) {
    let sharp = tap(stage, src, spot.x, spot.y, spot.c);
    scratch[spot.at] = clampByte((sharp * 256 + number(stage, NUMBER0) * (sharp - soft) + 128) >> 8u);
  } else if (op == 16u) {
    let above = tap(stage, src, spot.x, spot.y, spot.c) - soft > -number(stage, NUMBER0);
    scratch[spot.at] = select(0u, 255u, above);
  } else {
    scratch[spot.at] = u32(soft);
  }
}

/** The smallest value that more than half of the samples do not exceed, a bit at a time. */
fn median(stage: u32, invocation: u32) {
  let src = region(stage);
  let spot = spotOf(stage, invocation, word(stage, IN_CHANNELS));
  let radius = i32(word(stage, RADIUS));
  let half = ((2 * radius + 1) * (2 * radius + 1)) >> 1u;
  var found = 0;
  for (var bit = 128; bit > 0; bit >>= 1u) {
    var below = 0;
    for (var y = -radius; y <= radius; y++) {
      for (var x = -radius; x <= radius; x++) {
        if (tap(stage, src, spot.x + x, spot.y + y, spot.c) < found + bit) { below++; }
      }
    }
    if (below <= half) { found += bit; }
  }
  scratch[spot.at] = u32(found);
}

fn extreme(stage: u32, invocation: u32) {
  let src = region(stage);
  let spot = spotOf(stage, invocation, word(stage, IN_CHANNELS));
  let largest = word(stage, NUMBER0) != 0u;
  var found = select(255, 0, largest);
  for (var k = 0u; k < word(stage, NUMBER1); k++) {
    let at = word(stage, DATA) + 2u * k;
    let sample = tap(stage, src, spot.x + bitcast<i32>(params[at]), spot.y + bitcast<i32>(params[at + 1u]), spot.c);
    found = select(min(found, sample), max(found, sample), largest);
  }
  scratch[spot.at] = u32(found);
}

fn sobelX(stage: u32, src: vec4<i32>, x: i32, y: i32, c: u32) -> i32 {
  return tap(stage, src, x + 1, y - 1, c) - tap(stage, src, x - 1, y - 1, c)
    + 2 * (tap(stage, src, x + 1, y, c) - tap(stage, src, x - 1, y, c))
    + tap(stage, src, x + 1, y + 1, c) - tap(stage, src, x - 1, y + 1, c);
}

fn sobelY(stage: u32, src: vec4<i32>, x: i32, y: i32, c: u32) -> i32 {
  return tap(stage, src, x - 1, y + 1, c) - tap(stage, src, x - 1, y - 1, c)
    + 2 * (tap(stage, src, x, y + 1, c) - tap(stage, src, x, y - 1, c))
    + tap(stage, src, x + 1, y + 1, c) - tap(stage, src, x + 1, y - 1, c);
}

fn gradient(stage: u32, invocation: u32) {
  let src = region(stage);
  let s = spotOf(stage, invocation, word(stage, IN_CHANNELS));
  scratch[s.at] = clampByte(abs(sobelX(stage, src, s.x, s.y, s.c)) + abs(sobelY(stage, src, s.x, s.y, s.c)));
}

/** Weights in 1/65536 are kept as wholes and the rest above them, so that sums fit 32 bits. */
fn correlate(stage: u32, invocation: u32) {
  let src = region(stage);
  let spot = spotOf(stage, invocation, word(stage, IN_CHANNELS));
  let radius = i32(word(stage, RADIUS));
  var weight = word(stage, DATA);
  var wholes = number(stage, NUMBER1);
  var rest = 0u;
  for (var y = -radius; y <= radius; y++) {
    for (var x = -radius; x <= radius; x++) {
      let sample = tap(stage, src, spot.x + x, spot.y + y, spot.c);
      let w = bitcast<i32>(params[weight]);
      wholes += sample * (w >> 16u);
      rest += u32(sample) * (u32(w) & 65535u);
      weight++;
    }
  }
  let isNegative = wholes + i32(rest >> 16u) < 0;
  var rounded = wholes + i32((rest + 32768u) >> 16u);
  // Of a size the half is rounded away from the other side.
  if (word(stage, NUMBER0) != 0u && isNegative) { rounded = -wholes - i32((rest + 32767u) >> 16u); }
  scratch[spot.at] = clampByte(rounded);
}

// Sums of 64 bits, as low and high word.

fn plus64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let low = a.x + b.x;
  return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn product64(a: u32, b: u32) -> vec2<u32> {
  let low = (a & 65535u) * (b & 65535u);
  let one = (a >> 16u) * (b & 65535u);
  let other = (a & 65535u) * (b >> 16u);
  let middle = (low >> 16u) + (one & 65535u) + (other & 65535u);
  return vec2<u32>((low & 65535u) | (middle << 16u), (a >> 16u) * (b >> 16u) + (one >> 16u) + (other >> 16u) + (middle >> 16u));
}

fn times64(a: vec2<u32>, b: u32) -> vec2<u32> {
  return plus64(product64(a.x, b), vec2<u32>(0u, a.y * b));
}

/** a / b, at most 255. */
fn quotient(a: vec2<u32>, b: vec2<u32>) -> u32 {
  var found = 0u;
  for (var bit = 128u; bit > 0u; bit >>= 1u) {
    let tried = times64(b, found + bit);
    if (tried.y < a.y || (tried.y == a.y && tried.x <= a.x)) { found += bit; }
  }
  return found;
}

/** An invocation makes all channels of a pixel. Weights by colour, then points: dx, dy, weight by place. */
fn bilateral(stage: u32, invocation: u32) {
  let src = region(stage);
  let channels = word(stage, IN_CHANNELS);
  let spot = spotOf(stage, invocation * channels, channels);
  let byColour = word(stage, DATA);
  let points = byColour + 255u * channels + 1u;
  var here = vec3<i32>();
  for (var c = 0u; c < channels; c++) { here[c] = tap(stage, src, spot.x, spot.y, c); }
  var total = vec2<u32>();
  var sums = array<vec2<u32>, 3>();
  for (var k = 0u; k < word(stage, NUMBER0); k++) {
    let point = points + 3u * k;
    let x = spot.x + bitcast<i32>(params[point]);
    let y = spot.y + bitcast<i32>(params[point + 1u]);
    var there = vec3<i32>();
    for (var c = 0u; c < channels; c++) { there[c] = tap(stage, src, x, y, c); }
    let apart = abs(there - here);
    let weight = product64(params[point + 2u], params[byColour + u32(apart.x + apart.y + apart.z)]);
    total = plus64(total, weight);
    for (var c = 0u; c < channels; c++) { sums[c] = plus64(sums[c], times64(weight, u32(there[c]))); }
  }
  let half = vec2<u32>((total.x >> 1u) | (total.y << 31u), total.y >> 1u);
  for (var c = 0u; c < channels; c++) { scratch[spot.at + c] = quotient(plus64(sums[c], half), total); }
}

/** Numbers: half a patch, half a search window. Data: shift, how many weights there are, and they. */
fn nonLocal(stage: u32, invocation: u32) {
  let src = region(stage);
  let channels = word(stage, IN_CHANNELS);
  let spot = spotOf(stage, invocation * channels, channels);
  let patch_ = number(stage, NUMBER0);
  let search = number(stage, NUMBER1);
  let data = word(stage, DATA);
  let shift = params[data];
  let known = params[data + 1u];
  var total = 0u;
  var sums = vec3<u32>();
  for (var dy = -search; dy <= search; dy++) {
    for (var dx = -search; dx <= search; dx++) {
      var distance = 0u;
      for (var y = -patch_; y <= patch_; y++) {
        for (var x = -patch_; x <= patch_; x++) {
          for (var c = 0u; c < channels; c++) {
            let off = tap(stage, src, spot.x + x, spot.y + y, c) - tap(stage, src, spot.x + x + dx, spot.y + y + dy, c);
            distance += u32(off * off);
          }
        }
      }
      distance >>= shift;
      if (distance >= known) { continue; }
      let weight = params[data + 2u + distance];
      total += weight;
      for (var c = 0u; c < channels; c++) { sums[c] += weight * u32(tap(stage, src, spot.x + dx, spot.y + dy, c)); }
    }
  }
  for (var c = 0u; c < channels; c++) { scratch[spot.at + c] = (sums[c] + (total >> 1u)) / total; }
}

// Resampling. Of each column and row of the region: first tap, how many, and where their weights are.

fn tapsOf(stage: u32, vertical: bool, at: u32) -> vec3<u32> {
  let to = region(stage + 1u);
  let own = inputs[REGIONS_AT + 4u * (params[STAGES] + 1u) + stage];
  let entry = own + 3u * (at + select(0u, u32(to.z - to.x), vertical));
  return vec3<u32>(inputs[entry], inputs[entry + 1u], inputs[entry + 2u]);
}

fn resizeRow(stage: u32, invocation: u32) {
  let src = region(stage);
  let to = region(stage + 1u);
  let channels = word(stage, IN_CHANNELS);
  let samples = u32(to.z - to.x) * channels;
  let taps = tapsOf(stage, false, (invocation % samples) / channels);
  let y = src.y + i32(invocation / samples);
  var sum = 0;
  for (var k = 0u; k < taps.y; k++) {
    let x = clamp(bitcast<i32>(taps.x) + i32(k), 0, i32(word(stage, IN_WIDTH)) - 1);
    sum += i32(scratch[area(stage) + placeOf(src, channels, x, y, invocation % channels)]) * bitcast<i32>(inputs[taps.z + k]);
  }
  scratch[middle() + invocation] = bitcast<u32>((sum + 64) >> 7u);
}

fn resizeColumn(stage: u32, invocation: u32) {
  let src = region(stage);
  let to = region(stage + 1u);
  let samples = u32(to.z - to.x) * word(stage, IN_CHANNELS);
  let taps = tapsOf(stage, true, invocation / samples);
  var sum = 1 << 20u;
  for (var k = 0u; k < taps.y; k++) {
    let y = clamp(bitcast<i32>(taps.x) + i32(k), 0, i32(word(stage, IN_HEIGHT)) - 1);
    sum += bitcast<i32>(scratch[middle() + u32(y - src.y) * samples + invocation % samples]) * bitcast<i32>(inputs[taps.z + k]);
  }
  scratch[area(stage + 1u) + invocation] = clampByte(sum >> 21u);
}

/** Coordinates in 1/32: of each pixel where the map is a perspective, else the parts of each column and each row. */
fn warp(stage: u32, invocation: u32) {
  let src = region(stage);
  let to = region(stage + 1u);
  let channels = word(stage, IN_CHANNELS);
  let columns = u32(to.z - to.x);
  let pixel = invocation / channels;
  let own = inputs[REGIONS_AT + 4u * (params[STAGES] + 1u) + stage];
  var at: vec2<i32>;
  if (word(stage, NUMBER0) != 0u) {
    at = vec2<i32>(bitcast<i32>(inputs[own + 2u * pixel]), bitcast<i32>(inputs[own + 2u * pixel + 1u]));
  } else {
    let column = own + 2u * (pixel % columns);
    let row = own + 2u * (columns + pixel / columns);
    at = vec2<i32>(
      (bitcast<i32>(inputs[column]) + bitcast<i32>(inputs[row]) + 16) >> 5u,
      (bitcast<i32>(inputs[column + 1u]) + bitcast<i32>(inputs[row + 1u]) + 16) >> 5u);
  }
  let x = at.x >> 5u;
  let y = at.y >> 5u;
  let fx = at.x & 31;
  let fy = at.y & 31;
  let c = invocation % channels;
  let upper = inside(stage, src, x, y, c) * (32 - fx) + inside(stage, src, x + 1, y, c) * fx;
  let lower = inside(stage, src, x, y + 1, c) * (32 - fx) + inside(stage, src, x + 1, y + 1, c) * fx;
  scratch[area(stage + 1u) + invocation] = u32((upper * (32 - fy) + lower * fy + 512) >> 10u);
}

fn inside(stage: u32, src: vec4<i32>, x: i32, y: i32, c: u32) -> i32 {
  if (x < src.x || x >= src.z || y < src.y || y >= src.w) { return 0; }
  return i32(scratch[area(stage) + placeOf(src, word(stage, IN_CHANNELS), x, y, c)]);
}

// Colours and tables: the region that is read is the one that is made.

fn grey(stage: u32, invocation: u32) {
  let at = area(stage) + 3u * invocation;
  let sum = scratch[at] * 9798u + scratch[at + 1u] * 19235u + scratch[at + 2u] * 3735u + 16384u;
  scratch[area(stage + 1u) + invocation] = sum >> 15u;
}

fn hsv(stage: u32, invocation: u32) {
  let at = area(stage) + 3u * invocation;
  let out = area(stage + 1u) + 3u * invocation;
  let r = i32(scratch[at]);
  let g = i32(scratch[at + 1u]);
  let b = i32(scratch[at + 2u]);
  let value = max(r, max(g, b));
  let spread = value - min(r, min(g, b));
  let data = word(stage, DATA);
  let saturation = (spread * i32(params[data + u32(value)]) + 2048) >> 12u;
  var hue = r - g + 4 * spread;
  if (value == g) { hue = b - r + 2 * spread; }
  if (value == r) { hue = g - b; }
  hue = (hue * i32(params[data + 256u + u32(spread)]) + 2048) >> 12u;
  scratch[out] = u32(select(hue, hue + 180, hue < 0));
  scratch[out + 1u] = u32(saturation);
  scratch[out + 2u] = u32(value);
}

fn root(t: f32) -> f32 { return select(7.787 * t + 16.0 / 116.0, pow(max(t, 1e-9), 1.0 / 3.0), t > 0.008856); }

fn lab(stage: u32, invocation: u32) {
  let at = area(stage) + 3u * invocation;
  let out = area(stage + 1u) + 3u * invocation;
  let data = word(stage, DATA);
  let r = bitcast<f32>(params[data + scratch[at]]);
  let g = bitcast<f32>(params[data + scratch[at + 1u]]);
  let b = bitcast<f32>(params[data + scratch[at + 2u]]);
  let x = root((0.412453 * r + 0.35758 * g + 0.180423 * b) / 0.950456);
  let luminance = 0.212671 * r + 0.71516 * g + 0.072169 * b;
  let y = root(luminance);
  let z = root((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.088754);
  let lightness = select(903.3 * luminance, 116.0 * y - 16.0, luminance > 0.008856);
  scratch[out] = clampByte(i32(round(lightness * 2.55)));
  scratch[out + 1u] = clampByte(i32(round(500.0 * (x - y) + 128.0)));
  scratch[out + 2u] = clampByte(i32(round(200.0 * (y - z) + 128.0)));
}

fn translate(stage: u32, invocation: u32, isFound: bool) {
  let sample = scratch[area(stage) + invocation];
  let at = word(stage, TABLE) + sample;
  scratch[area(stage + 1u) + invocation] = select(params[word(stage, DATA) + sample], tableByte(at), isFound);
}

/** Numbers: cells across and down; data: one over a cell's width and height. */
fn cells(stage: u32, invocation: u32) {
  let spot = spotOf(stage, invocation, 1u);
  let across = number(stage, NUMBER0);
  let down = number(stage, NUMBER1);
  let data = word(stage, DATA);
  let fx = f32(spot.x) * bitcast<f32>(params[data]) - 0.5;
  let fy = f32(spot.y) * bitcast<f32>(params[data + 1u]) - 0.5;
  let left = i32(floor(fx));
  let top = i32(floor(fy));
  let far = fx - f32(left);
  let low = fy - f32(top);
  let sample = scratch[area(stage) + invocation];
  let upper = max(top, 0) * across;
  let lower = min(top + 1, down - 1) * across;
  let one = max(left, 0);
  let other = min(left + 1, across - 1);
  let above = cell(stage, upper + one, sample) * (1.0 - far) + cell(stage, upper + other, sample) * far;
  let below = cell(stage, lower + one, sample) * (1.0 - far) + cell(stage, lower + other, sample) * far;
  scratch[spot.at] = clampByte(i32(round(above * (1.0 - low) + below * low)));
}

fn cell(stage: u32, number: i32, sample: u32) -> f32 {
  return f32(tableByte(word(stage, TABLE) + 256u * u32(number) + sample));
}

// Canny: sizes of gradients one pixel beyond the region, then where they are largest along their own direction.

fn magnitude(stage: u32, invocation: u32) {
  let src = region(stage);
  let to = region(stage + 1u);
  let columns = u32(to.z - to.x) + 2u;
  let x = to.x - 1 + i32(invocation % columns);
  let y = to.y - 1 + i32(invocation / columns);
  var size = 0;
  if (x >= 0 && x < i32(word(stage, OUT_WIDTH)) && y >= 0 && y < i32(word(stage, OUT_HEIGHT))) {
    size = abs(sobelX(stage, src, x, y, 0u)) + abs(sobelY(stage, src, x, y, 0u));
  }
  scratch[middle() + invocation] = u32(size);
}

fn crest(stage: u32, invocation: u32) {
  let src = region(stage);
  let to = region(stage + 1u);
  let spot = spotOf(stage, invocation, 1u);
  let row = u32(to.z - to.x) + 2u;
  let here = middle() + u32(spot.y - to.y + 1) * row + u32(spot.x - to.x + 1);
  let size = scratch[here];
  var edge = 0u;
  if (size > word(stage, NUMBER0)) {
    let dx = sobelX(stage, src, spot.x, spot.y, 0u);
    let dy = sobelY(stage, src, spot.x, spot.y, 0u);
    if (isCrest(here, row, size, dx, dy)) { edge = select(1u, 2u, size > word(stage, NUMBER1)); }
  }
  scratch[spot.at] = edge;
}

fn isCrest(here: u32, row: u32, size: u32, dx: i32, dy: i32) -> bool {
  let across = abs(dx);
  let up = abs(dy) << 15u;
  let shallow = across * 13573;
  if (up < shallow) { return size > scratch[here - 1u] && size >= scratch[here + 1u]; }
  if (up > shallow + (across << 16u)) { return size > scratch[here - row] && size >= scratch[here + row]; }
  if ((dx ^ dy) < 0) { return size > scratch[here - row + 1u] && size > scratch[here + row - 1u]; }
  return size > scratch[here - row - 1u] && size > scratch[here + row + 1u];
}

// The partial: its head and, of pixels, four bytes to a word; counts are added up.

fn write(invocation: u32) {
  let stages = params[STAGES];
  let to = region(stages);
  let channels = inputs[3];
  if (invocation == 0u) { atomicStore(&output[0], inputs[TILE_AT]); }
  else if (invocation == 1u) {
    atomicStore(&output[1], params[KIND] | (channels << 8u) | (u32(to.z - to.x) << 16u));
  }
  else if (invocation == 2u) { atomicStore(&output[2], u32(to.w - to.y)); }
  else {
    let samples = u32(to.z - to.x) * u32(to.w - to.y) * channels;
    let first = 4u * (invocation - 3u);
    var packed = 0u;
    for (var k = 0u; k < 4u && first + k < samples; k++) { packed |= scratch[area(stages) + first + k] << (8u * k); }
    atomicStore(&output[invocation], packed);
  }
}

fn count(invocation: u32) {
  let stages = params[STAGES];
  let to = region(stages);
  let sample = scratch[area(stages) + invocation];
  let grid = params[CELLS];
  if (grid == 0u || params[KIND] == 1u) {
    atomicAdd(&output[3u + sample], 1u);
    return;
  }
  let columns = u32(to.z - to.x);
  let x = u32(to.x) + invocation % columns;
  let y = u32(to.y) + invocation / columns;
  let width = inputs[REGIONS_AT + 4u * (stages + 1u) + stages];
  let height = inputs[REGIONS_AT + 4u * (stages + 1u) + stages + 1u];
  let wide = cellSize(width, height, grid);
  let high = cellSize(height, width, grid);
  let againX = 2u * (width - 1u) - x;
  let againY = 2u * (height - 1u) - y;
  let isAgainX = againX >= width && againX < wide * grid;
  let isAgainY = againY >= height && againY < high * grid;
  add(x / wide, y / high, grid, sample);
  if (isAgainX) { add(againX / wide, y / high, grid, sample); }
  if (isAgainY) { add(x / wide, againY / high, grid, sample); }
  if (isAgainX && isAgainY) { add(againX / wide, againY / high, grid, sample); }
}

fn cellSize(size: u32, other: u32, grid: u32) -> u32 {
  return size / grid + select(1u, 0u, size % grid == 0u && other % grid == 0u);
}

/** Counts of u16, two to a word. */
fn add(column: u32, row: u32, grid: u32, sample: u32) {
  let at = (row * grid + column) * 256u + sample;
  atomicAdd(&output[3u + (at >> 1u)], 1u << (16u * (at & 1u)));
}
