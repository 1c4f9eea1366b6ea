// The same paths as kernel.as.ts, in f32 and 32-bit integers; bindings as kernels/contract.ts says, numbers as gpu.ts.
// Pi is all integers and equals the WASM kernel bit for bit. Options differ in rounding: WGSL has no f64, lets a
// compiler fuse and reassociate, and lets sin and cos be wrong by 2^-11, so that they are computed here.

struct Chunk {
  taskLo: u32, taskHi: u32,
  tasks: u32,
  first: u32, count: u32,
  width: u32, pad0: u32, pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: array<u32>;
// events, sum (2 words), sum of squares (3 words), 2 unused
@group(0) @binding(1) var<storage, read_write> output: array<atomic<u32>, 8>;
@group(0) @binding(2) var<uniform> chunk: Chunk;

const MODEL = 0u;
const FLAGS = 1u;
const STEPS = 2u;
const SEED = 3u;
const ITERATIONS = 5u;
const BATCH = 7u;
const PER_INVOCATION = 8u;
const START = 9u;
const DRIFT = 10u;
const SPREAD = 11u;
const SCALE = 12u;
const PER_STEP = 13u;
const LIFT = 14u;

const PI = 0u;
const EUROPEAN = 1u;
const ASIAN = 2u;
const GEOMETRIC = 2u;

struct Wide { lo: u32, hi: u32 }

fn multiply(a: u32, b: u32) -> Wide {
  let al = a & 0xffffu;
  let ah = a >> 16u;
  let bl = b & 0xffffu;
  let bh = b >> 16u;
  let low = al * bl;
  let middle = ah * bl + (low >> 16u);
  let other = al * bh + (middle & 0xffffu);
  return Wide(a * b, ah * bh + (middle >> 16u) + (other >> 16u));
}

fn plus(a: Wide, b: u32) -> Wide {
  let lo = a.lo + b;
  return Wide(lo, a.hi + select(0u, 1u, lo < b));
}

fn philox(block: Wide, part: u32, model: u32) -> vec4<u32> {
  var c = vec4<u32>(block.lo, block.hi, part, model);
  var k = vec2<u32>(params[SEED], params[SEED + 1u]);
  for (var round = 0u; round < 10u; round++) {
    let p = multiply(0xd2511f53u, c.x);
    let q = multiply(0xcd9e8d57u, c.z);
    c = vec4<u32>(q.hi ^ c.y ^ k.x, q.lo, p.hi ^ c.w ^ k.y, p.lo);
    k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

// 1 when the dart is outside: the sum of the squares carries out of 64 bits.
fn outside(x: u32, y: u32) -> u32 {
  let a = multiply(x | 1u, x | 1u);
  let b = multiply(y | 1u, y | 1u);
  let carry = select(0u, 1u, a.lo + b.lo < a.lo);
  let hi = a.hi + b.hi;
  return select(0u, 1u, hi < a.hi || (carry == 1u && hi == 0xffffffffu));
}

fn madd(a: f32, b: f32, c: f32) -> f32 {
  return a * b + c;
}

fn poly3(x: f32, a: f32, b: f32, c: f32, d: f32) -> f32 {
  return madd(x, madd(x, madd(x, d, c), b), a);
}

// Box-Muller, as normal.as.ts, with shorter series: errors below 2e-9 before rounding.
fn normals(radius: u32, angle: u32) -> vec2<f32> {
  // m - 1 for u = 2^e m, m in [sqrt(1/2), sqrt(2)); near 1 it comes from the complement, with no digit lost.
  var e = 0.0;
  var f = (f32(~radius) + 0.5) * -2.3283064e-10;
  if (radius < 0xb504f334u) {
    let bits = bitcast<i32>((f32(radius) + 0.5) * 2.3283064e-10);
    let exponent = (bits - 0x3f3504f3) >> 23u;
    e = f32(exponent);
    f = bitcast<f32>(bits - (exponent << 23u)) - 1.0;
  }
  let s = f / (2.0 + f);
  let z = s * s;
  let p = z * poly3(z, 0.6666666667, 0.4, 0.2857142857, 0.2222222222);
  let ln = madd(e, 0.6931471806, madd(s, p, 2.0 * s));
  let r = sqrt(max(0.0, -2.0 * ln));

  let t = f32(bitcast<i32>(angle << 2u)) * 3.6572951e-10;
  let q = t * t;
  let sn = madd(t * q, poly3(q, -0.1666666667, 0.008333333333, -1.984126984e-4, 2.755731922e-6), t);
  let cs = madd(q * q, poly3(q, 0.04166666667, -0.001388888889, 2.480158730e-5, -2.755731922e-7), madd(-0.5, q, 1.0));
  let quadrant = (angle + 0x20000000u) >> 30u;
  let odd = (quadrant & 1u) == 1u;
  let c = select(cs, sn, odd);
  let d = select(sn, cs, odd);
  return r * vec2<f32>(select(c, -c, ((quadrant + 1u) & 2u) != 0u), select(d, -d, (quadrant & 2u) != 0u));
}

fn exp2(x: f32) -> f32 {
  let bounded = clamp(x, -100.0, 100.0);
  let n = floor(bounded + 0.5);
  let f = bounded - n;
  let high = poly3(f, 0.009618129108, 0.001333355815, 1.540353039e-4, 1.525273380e-5);
  let p = poly3(f, 1.0, 0.6931471806, 0.2402265070, madd(f, high, 0.05550410866));
  return p * bitcast<f32>((i32(n) + 127) << 23u);
}

// log2 of the price after `time` steps, whose normals add up to `noise`, without the whole powers of two in LIFT: near 0,
// where f32 is fine. Sums of normals round as often up as down; adding the small drift at each step would not.
fn logPrice(noise: f32, time: f32) -> f32 {
  return madd(bitcast<f32>(params[SPREAD]), noise, madd(bitcast<f32>(params[DRIFT]), time, bitcast<f32>(params[START])));
}

// This invocation's tallies.
var<private> events: u32;
var<private> sum: Wide;
var<private> squares: array<u32, 3>;

// Tallies a path that pays on `share` times 2^lift strikes. 4294967040 is the largest f32 below 2^32.
fn tally(share: f32) {
  let price = share * bitcast<f32>(params[LIFT]);
  let payoff = (price - 1.0) * bitcast<f32>(params[SCALE]);
  let q = u32(clamp(payoff + 0.5, 0.0, 4294967040.0));
  events += select(0u, 1u, q != 0u);
  sum = plus(sum, q);
  let square = multiply(q, q);
  squares[0] += square.lo;
  let carry = select(0u, 1u, squares[0] < square.lo);
  // The high word of a square is at most 2^32 - 2: adding the carry cannot wrap.
  let high = square.hi + carry;
  squares[1] += high;
  squares[2] += select(0u, 1u, squares[1] < high);
}

// What the average is taken of: prices, or their logarithms.
fn observed(log: f32) -> f32 {
  if ((params[FLAGS] & GEOMETRIC) != 0u) { return log; }
  return exp2(log);
}

fn asian(path: Wide) -> f32 {
  let steps = params[STEPS];
  var noise = 0.0;
  var total = 0.0;
  for (var s = 0u; s < steps; s += 4u) {
    let w = philox(path, s >> 2u, ASIAN);
    let left = min(4u, steps - s);
    for (var i = 0u; i < left; i += 2u) {
      let z = normals(select(w.x, w.z, i == 2u), select(w.y, w.w, i == 2u));
      noise += z.x;
      total += observed(logPrice(noise, f32(s + i + 1u)));
      if (i + 1u < left) {
        noise += z.y;
        total += observed(logPrice(noise, f32(s + i + 2u)));
      }
    }
  }
  let mean = total * bitcast<f32>(params[PER_STEP]);
  if ((params[FLAGS] & GEOMETRIC) != 0u) { return exp2(mean); }
  return mean;
}

// Paths begin..end of the grain, counted from `base`, the grain's first path rounded down to a whole block.
fn walk(base: Wide, begin: u32, end: u32, offset: u32) {
  let model = params[MODEL];
  let size = params[PER_INVOCATION];
  if (model == PI) {
    for (var i = offset; i < offset + size && i < end; i += 2u) {
      let at = plus(base, i);
      let w = philox(Wide((at.lo >> 1u) | (at.hi << 31u), at.hi >> 1u), 0u, PI);
      events += select(0u, outside(w.x, w.y), i >= begin);
      events += select(0u, outside(w.z, w.w), i + 1u >= begin && i + 1u < end);
    }
  } else if (model == EUROPEAN) {
    for (var i = offset; i < offset + size && i < end; i += 4u) {
      let at = plus(base, i);
      let w = philox(Wide((at.lo >> 2u) | (at.hi << 30u), at.hi >> 2u), 0u, EUROPEAN);
      let z = vec4<f32>(normals(w.x, w.y), normals(w.z, w.w));
      for (var j = 0u; j < 4u; j++) {
        if (i + j >= begin && i + j < end) { tally(exp2(logPrice(z[j], 1.0))); }
      }
    }
  } else {
    for (var i = offset; i < offset + size && i < end; i++) { tally(asian(plus(base, i))); }
  }
}

// Sums of a workgroup, then of the grain: each addition that wraps is seen by the one who made it, so words and carries
// add up to the same total in every order.
var<workgroup> shared_sums: array<atomic<u32>, 6>;

fn addShared(at: u32, value: u32) -> u32 {
  let old = atomicAdd(&shared_sums[at], value);
  return select(0u, 1u, old + value < old);
}

fn addOutput(at: u32, value: u32) -> u32 {
  let old = atomicAdd(&output[at], value);
  return select(0u, 1u, old + value < old);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  // A workgroup's barriers need all its threads: one past the end walks nothing instead of returning.
  let number = gid.y * chunk.width + gid.x;
  if (gid.x < chunk.width && number < chunk.count) {
    var lowest = multiply(chunk.taskLo, params[BATCH]);
    lowest.hi += chunk.taskHi * params[BATCH];
    let borrow = select(0u, 1u, params[ITERATIONS] < lowest.lo);
    let left = Wide(params[ITERATIONS] - lowest.lo, params[ITERATIONS + 1u] - lowest.hi - borrow);
    var paths = chunk.tasks * params[BATCH];
    if (left.hi == 0u && left.lo < paths) { paths = left.lo; }
    let aligned = select(select(1u, 4u, params[MODEL] == EUROPEAN), 2u, params[MODEL] == PI);
    let skipped = lowest.lo & (aligned - 1u);
    let base = Wide(lowest.lo - skipped, lowest.hi);
    walk(base, skipped, skipped + paths, (chunk.first + number) * params[PER_INVOCATION]);
  }

  if (events != 0u) {
    atomicAdd(&shared_sums[0], events);
    // A word that takes a carry wraps to 0 at most then, and 0 carries no further by itself.
    let carry1 = addShared(1u, sum.lo);
    atomicAdd(&shared_sums[2], sum.hi + carry1);
    let carry3 = addShared(3u, squares[0]);
    let middle = squares[1] + carry3;
    let carry4 = addShared(4u, middle) + select(0u, 1u, middle < carry3);
    atomicAdd(&shared_sums[5], squares[2] + carry4);
  }
  workgroupBarrier();
  if (local == 0u) {
    atomicAdd(&output[0], atomicLoad(&shared_sums[0]));
    let carry1 = addOutput(1u, atomicLoad(&shared_sums[1]));
    atomicAdd(&output[2], atomicLoad(&shared_sums[2]) + carry1);
    let carry3 = addOutput(3u, atomicLoad(&shared_sums[3]));
    let middle = atomicLoad(&shared_sums[4]) + carry3;
    let carry4 = addOutput(4u, middle) + select(0u, 1u, middle < carry3);
    atomicAdd(&output[5], atomicLoad(&shared_sums[5]) + carry4);
  }
}
