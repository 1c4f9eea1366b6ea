// Searches nonces for header hashes of at most the share target: the same shares as kernel.as.ts, in any order.
// Bindings as kernels/contract.ts says; the parameters' words as layout.ts says, and word 52 as gpu.ts.

struct Chunk {
  taskLo: u32, taskHi: u32,
  tasks: u32,
  first: u32, count: u32,
  width: u32, pad0: u32, pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: array<u32>;
// A count, then extranonce and nonce of each share.
@group(0) @binding(1) var<storage, read_write> output: array<atomic<u32>>;
@group(0) @binding(2) var<uniform> chunk: Chunk;

const SHARES_MAX = 510u;

const HAS_COINBASE = 0u;
const NONCE_START = 1u;
const EXTRANONCE_START = 2u;
const NONCES_LO = 3u;
const NONCES_HI = 4u;
const BRANCH_HASHES = 5u;
const TAIL_BLOCKS = 6u;
const EXTRANONCE_AT = 7u;
const TARGET = 8u;
const HEADER = 16u;
const COINBASE_STATE = 36u;
const HEADER_STATE = 44u;
const PER_INVOCATION = 52u;
const BRANCH = 56u;

alias State = array<u32, 8>;
alias Block = array<u32, 16>;

const INITIAL = State(
  0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au, 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u,
);

const K = array<u32, 64>(
  0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u, 0xab1c5ed5u,
  0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu, 0x9bdc06a7u, 0xc19bf174u,
  0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau,
  0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u,
  0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u,
  0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u,
  0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
  0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u, 0xc67178f2u,
);

fn turn(x: u32, by: u32) -> u32 { return (x >> by) | (x << (32u - by)); }

fn near(x: u32) -> u32 { return turn(x, 17u) ^ turn(x, 19u) ^ (x >> 10u); }

fn far(x: u32) -> u32 { return turn(x, 7u) ^ turn(x, 18u) ^ (x >> 3u); }

fn mix(e: u32, f: u32, g: u32, h: u32, word: u32) -> u32 {
  return h + (turn(e, 6u) ^ turn(e, 11u) ^ turn(e, 25u)) + (g ^ (e & (f ^ g))) + word;
}

fn fold(a: u32, b: u32, c: u32) -> u32 {
  return (turn(a, 2u) ^ turn(a, 13u) ^ turn(a, 22u)) + ((a & b) | (c & (a | b)));
}

// The state after one more block. Sixteen rounds are written out, so that no index of an array is computed.
fn compress(start: State, block: Block) -> State {
  var w = block;
  var a = start[0];
  var b = start[1];
  var c = start[2];
  var d = start[3];
  var e = start[4];
  var f = start[5];
  var g = start[6];
  var h = start[7];
  for (var t = 0u; t < 64u; t += 16u) {
    if (t > 0u) {
      w[0] += far(w[1]) + w[9] + near(w[14]);
      w[1] += far(w[2]) + w[10] + near(w[15]);
      w[2] += far(w[3]) + w[11] + near(w[0]);
      w[3] += far(w[4]) + w[12] + near(w[1]);
      w[4] += far(w[5]) + w[13] + near(w[2]);
      w[5] += far(w[6]) + w[14] + near(w[3]);
      w[6] += far(w[7]) + w[15] + near(w[4]);
      w[7] += far(w[8]) + w[0] + near(w[5]);
      w[8] += far(w[9]) + w[1] + near(w[6]);
      w[9] += far(w[10]) + w[2] + near(w[7]);
      w[10] += far(w[11]) + w[3] + near(w[8]);
      w[11] += far(w[12]) + w[4] + near(w[9]);
      w[12] += far(w[13]) + w[5] + near(w[10]);
      w[13] += far(w[14]) + w[6] + near(w[11]);
      w[14] += far(w[15]) + w[7] + near(w[12]);
      w[15] += far(w[0]) + w[8] + near(w[13]);
    }
    h = mix(e, f, g, h, K[t + 0u] + w[0]); d += h; h += fold(a, b, c);
    g = mix(d, e, f, g, K[t + 1u] + w[1]); c += g; g += fold(h, a, b);
    f = mix(c, d, e, f, K[t + 2u] + w[2]); b += f; f += fold(g, h, a);
    e = mix(b, c, d, e, K[t + 3u] + w[3]); a += e; e += fold(f, g, h);
    d = mix(a, b, c, d, K[t + 4u] + w[4]); h += d; d += fold(e, f, g);
    c = mix(h, a, b, c, K[t + 5u] + w[5]); g += c; c += fold(d, e, f);
    b = mix(g, h, a, b, K[t + 6u] + w[6]); f += b; b += fold(c, d, e);
    a = mix(f, g, h, a, K[t + 7u] + w[7]); e += a; a += fold(b, c, d);
    h = mix(e, f, g, h, K[t + 8u] + w[8]); d += h; h += fold(a, b, c);
    g = mix(d, e, f, g, K[t + 9u] + w[9]); c += g; g += fold(h, a, b);
    f = mix(c, d, e, f, K[t + 10u] + w[10]); b += f; f += fold(g, h, a);
    e = mix(b, c, d, e, K[t + 11u] + w[11]); a += e; e += fold(f, g, h);
    d = mix(a, b, c, d, K[t + 12u] + w[12]); h += d; d += fold(e, f, g);
    c = mix(h, a, b, c, K[t + 13u] + w[13]); g += c; c += fold(d, e, f);
    b = mix(g, h, a, b, K[t + 14u] + w[14]); f += b; b += fold(c, d, e);
    a = mix(f, g, h, a, K[t + 15u] + w[15]); e += a; a += fold(b, c, d);
  }
  return State(
    start[0] + a, start[1] + b, start[2] + c, start[3] + d, start[4] + e, start[5] + f, start[6] + g, start[7] + h,
  );
}

// The hash of a hash.
fn again(hash: State) -> State {
  return compress(INITIAL, Block(
    hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7], 0x80000000u, 0u, 0u, 0u, 0u, 0u, 0u, 256u,
  ));
}

// Word `index` of the coinbase's tail, with the extranonce's four bytes, which may lie across two words.
fn tailWord(tail: u32, index: u32, extranonce: u32) -> u32 {
  let at = params[EXTRANONCE_AT];
  let shift = 8u * (at & 3u);
  var word = params[tail + index];
  if (index == at >> 2u) { word |= extranonce >> shift; }
  if (shift > 0u && index == (at >> 2u) + 1u) { word |= extranonce << (32u - shift); }
  return word;
}

// The coinbase's hash, combined along the branch.
fn merkleRoot(extranonce: u32) -> State {
  let tail = BRANCH + 8u * params[BRANCH_HASHES];
  var state: State;
  for (var i = 0u; i < 8u; i++) { state[i] = params[COINBASE_STATE + i]; }
  for (var word = 0u; word < 16u * params[TAIL_BLOCKS]; word += 16u) {
    var block: Block;
    for (var i = 0u; i < 16u; i++) { block[i] = tailWord(tail, word + i, extranonce); }
    state = compress(state, block);
  }
  state = again(state);
  for (var hash = 0u; hash < params[BRANCH_HASHES]; hash++) {
    var block: Block;
    for (var i = 0u; i < 8u; i++) {
      block[i] = state[i];
      block[8u + i] = params[BRANCH + 8u * hash + i];
    }
    state = compress(INITIAL, block);
    state = again(compress(state, Block(0x80000000u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 512u)));
  }
  return state;
}

// What the nonces of an extranonce have in common: the state after the header's first block, and the second's first words.
struct Work {
  state: State,
  words: vec3<u32>,
}

fn workOf(extranonce: u32) -> Work {
  var work: Work;
  work.words = vec3<u32>(params[HEADER + 16u], params[HEADER + 17u], params[HEADER + 18u]);
  if (params[HAS_COINBASE] == 0u) {
    for (var i = 0u; i < 8u; i++) { work.state[i] = params[HEADER_STATE + i]; }
    return work;
  }
  var root = merkleRoot(extranonce);
  var block: Block;
  for (var i = 0u; i < 9u; i++) { block[i] = params[HEADER + i]; }
  for (var i = 0u; i < 7u; i++) { block[9u + i] = root[i]; }
  work.state = compress(INITIAL, block);
  work.words.x = root[7];
  return work;
}

fn swap(x: u32) -> u32 {
  return (x << 24u) | ((x & 0xff00u) << 8u) | ((x >> 8u) & 0xff00u) | (x >> 24u);
}

// Whether the hash, as a number whose last byte is the most significant, is at most the target.
fn passes(hash: State) -> bool {
  let first = swap(hash[7]);
  if (first != params[TARGET]) { return first < params[TARGET]; }
  var words = hash;
  for (var i = 1u; i < 8u; i++) {
    let mine = swap(words[7u - i]);
    if (mine != params[TARGET + i]) { return mine < params[TARGET + i]; }
  }
  return true;
}

fn hashOf(work: Work, nonce: u32) -> State {
  return again(compress(work.state, Block(
    work.words.x, work.words.y, work.words.z, swap(nonce), 0x80000000u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 640u,
  )));
}

fn keep(extranonce: u32, nonce: u32) {
  let index = atomicAdd(&output[0], 1u);
  if (index >= SHARES_MAX) { return; }
  atomicStore(&output[1u + 2u * index], extranonce);
  atomicStore(&output[2u + 2u * index], nonce);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>) {
  let offset = gid.y * chunk.width + gid.x;
  if (gid.x >= chunk.width || offset >= chunk.count) { return; }
  // 64-bit number of this invocation's first nonce, counted from the job's first.
  let start = chunk.taskLo << 16u;
  let lo = start + (chunk.first + offset) * params[PER_INVOCATION];
  let hi = ((chunk.taskHi << 16u) | (chunk.taskLo >> 16u)) + select(0u, 1u, lo < start);
  // The job's last task may be cut short.
  let leftLo = params[NONCES_LO] - lo;
  let leftHi = params[NONCES_HI] - hi - select(0u, 1u, params[NONCES_LO] < lo);
  if (leftHi >= 0x80000000u) { return; }
  var left = params[PER_INVOCATION];
  if (leftHi == 0u) { left = min(left, leftLo); }

  var nonce = params[NONCE_START] + lo;
  var extranonce = params[EXTRANONCE_START] + hi + select(0u, 1u, nonce < lo);
  while (left > 0u) {
    let work = workOf(extranonce);
    while (left > 0u) {
      if (passes(hashOf(work, nonce))) { keep(extranonce, nonce); }
      left--;
      nonce++;
      if (nonce == 0u) {
        extranonce++;
        break;
      }
    }
  }
}
