/**
 * A GPU's determinism class: what its driver and compiler make of operations for which WGSL leaves room (contraction of
 * a*b+c, the order of a sum, exp, log, sin, cos, pow, sqrt, division; in half precision too, where the device has it).
 * Probe shaders compute them on fixed inputs, and a hash of the bits is the class: GPUs of one class may be expected to give the same bits, others only nearly the same.
 */

const threads = 64;
const values = 12;
/** WebGPU's numbers: Node has no globals for them. */
const usage = { mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, storage: 0x80 } as const;
const mapModeRead = 0x1;
/** A driver that takes longer has no class. */
const probeMsMax = 5_000;

const draw = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> seed: array<u32>;

/** Between 0.5 and 2, all bits of the fraction in use. */
fn draw(i: u32) -> f32 {
  var x = i * 747796405u + seed[0];
  x = ((x >> ((x >> 28u) + 4u)) ^ x) * 277803737u;
  x = (x >> 22u) ^ x;
  return bitcast<f32>((x & 0x00ffffffu) | 0x3f000000u);
}
`;

const shader = /* wgsl */ `${draw}
@compute @workgroup_size(${threads})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x;
  let a = draw(3u * i);
  let b = draw(3u * i + 1u);
  let c = draw(3u * i + 2u);
  // Where it is contracted to one operation, the low half of the product survives.
  let contracted = a * b - (a * b + c) + c;
  var sum = 0.0;
  for (var k = 0u; k < 32u; k++) { sum += draw(97u * i + k) * draw(31u * i + k); }
  let d = dot(vec4<f32>(a, b, c, a), vec4<f32>(c, a, b, b));
  let at = i * ${values}u;
  out[at] = bitcast<u32>(fma(a, b, -c));
  out[at + 1u] = bitcast<u32>(contracted);
  out[at + 2u] = bitcast<u32>(sum);
  out[at + 3u] = bitcast<u32>(d);
  out[at + 4u] = bitcast<u32>(exp(a));
  out[at + 5u] = bitcast<u32>(log(b));
  out[at + 6u] = bitcast<u32>(sin(c));
  out[at + 7u] = bitcast<u32>(cos(a));
  out[at + 8u] = bitcast<u32>(pow(a, c));
  out[at + 9u] = bitcast<u32>(sqrt(b));
  out[at + 10u] = bitcast<u32>(inverseSqrt(c));
  out[at + 11u] = bitcast<u32>(a / b);
}`;

/** As above in half precision; every result widens to single precision without loss. */
const halfShader = /* wgsl */ `enable f16;
${draw}
@compute @workgroup_size(${threads})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x;
  let a = f16(draw(3u * i));
  let b = f16(draw(3u * i + 1u));
  let c = f16(draw(3u * i + 2u));
  var sum = 0.0h;
  for (var k = 0u; k < 32u; k++) { sum += f16(draw(97u * i + k)) * f16(draw(31u * i + k)); }
  let at = i * ${values}u;
  out[at] = bitcast<u32>(f32(fma(a, b, -c)));
  out[at + 1u] = bitcast<u32>(f32(a * b - (a * b + c) + c));
  out[at + 2u] = bitcast<u32>(f32(sum));
  out[at + 3u] = bitcast<u32>(f32(dot(vec4<f16>(a, b, c, a), vec4<f16>(c, a, b, b))));
  out[at + 4u] = bitcast<u32>(f32(exp(a)));
  out[at + 5u] = bitcast<u32>(f32(log(b)));
  out[at + 6u] = bitcast<u32>(f32(sin(c)));
  out[at + 7u] = bitcast<u32>(f32(cos(a)));
  out[at + 8u] = bitcast<u32>(f32(pow(a, c)));
  out[at + 9u] = bitcast<u32>(f32(sqrt(b)));
  out[at + 10u] = bitcast<u32>(f32(inverseSqrt(c)));
  out[at + 11u] = bitcast<u32>(f32(a / b));
}`;

/** The class as 16 hexadecimal digits; null where the probe cannot be run. Never rejects. */
export async function determinismClass(device: GPUDevice): Promise<string | null> {
  const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), probeMsMax));
  return Promise.race([classOf(device).catch(() => null), late]);
}

async function classOf(device: GPUDevice): Promise<string> {
  const single = await probe(device, shader);
  if (!device.features?.has("shader-f16")) return fingerprint(single);
  const half = await probe(device, halfShader);
  return fingerprint(Uint8Array.of(...single, ...half));
}

/** The bits that the shader computes on this device. */
async function probe(device: GPUDevice, code: string): Promise<Uint8Array> {
  const bytes = 4 * threads * values;
  const out = device.createBuffer({ size: bytes, usage: usage.storage | usage.copySrc });
  const seed = device.createBuffer({ size: 4, usage: usage.storage | usage.copyDst });
  const read = device.createBuffer({ size: bytes, usage: usage.mapRead | usage.copyDst });
  try {
    const module = device.createShaderModule({ code });
    const pipeline = await device.createComputePipelineAsync({
      layout: "auto",
      compute: { module, entryPoint: "main" },
    });
    // Not a constant of the shader, which a compiler would compute itself, as exactly as it likes.
    device.queue.writeBuffer(seed, 0, Uint32Array.of(2_891_336_453));
    const entries = [out, seed].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(out, 0, read, 0, bytes);
    device.queue.submit([encoder.finish()]);
    await read.mapAsync(mapModeRead);
    const found = new Uint8Array(read.getMappedRange()).slice();
    read.unmap();
    return found;
  } finally {
    for (const buffer of [out, seed, read]) buffer.destroy();
  }
}

/** FNV-1a, 64 bits (Fowler, Noll, Vo): a label, which nothing rests on that somebody could gain by forging. */
export function fingerprint(bytes: Uint8Array): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, "0");
}
