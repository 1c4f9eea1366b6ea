/** How the shader is parametrised, cut into invocations, and read. The order of the words is that of kernel.wgsl. */
import type { GpuProgram } from "../../contract.ts";
import { encodeTally, flagsOf, scaleOf } from "./layout.ts";
import { batchOf, type MonteCarloPayload, modelOf, optionOf, pathsOf, seedOf } from "./payload.ts";
import { streams } from "./philox.ts";

const DARTS = 1024;
const NORMALS = 256;

/** Paths that one invocation walks: a multiple of the paths of a Philox block. */
function perInvocation(payload: MonteCarloPayload): number {
  const model = modelOf(payload);
  if (model === "pi") return DARTS;
  return model === "european_option" ? NORMALS : Math.max(1, Math.floor(NORMALS / optionOf(payload).steps));
}

/** A grain's first path may lie within a block: the invocations start at the block's first path. */
const blockPaths = { pi: 2, european_option: 4, asian_option: 1 } as const;

export const gpu: GpuProgram<MonteCarloPayload> = {
  workgroupSize: () => 64,

  params(payload) {
    const bytes = new Uint8Array(64);
    const view = new DataView(bytes.buffer);
    const word = (index: number, value: number) => view.setUint32(4 * index, value, true);
    const float = (index: number, value: number) => view.setFloat32(4 * index, value, true);
    const model = modelOf(payload);
    const option = model === "pi" ? null : optionOf(payload);
    word(0, streams[model]);
    word(1, option ? flagsOf(option) : 0);
    word(2, option?.steps ?? 1);
    view.setBigUint64(12, seedOf(payload), true);
    view.setBigUint64(20, BigInt(payload.iterations), true);
    word(7, batchOf(payload));
    word(8, perInvocation(payload));
    if (option) {
      const scale = scaleOf(option);
      // Whole powers of two are kept apart, so that logarithms stay small and lose no digit.
      const lift = Math.round(scale.start);
      float(9, scale.start - lift);
      float(10, scale.drift);
      float(11, scale.spread);
      float(12, (option.put ? -1 : 1) * 2 ** scale.fraction);
      float(13, 1 / option.steps);
      float(14, 2 ** lift);
    }
    return bytes;
  },

  outputBytes: () => 32,

  invocations(payload, tasks) {
    const paths = Math.min(tasks * batchOf(payload), payload.iterations);
    return Math.ceil((paths + blockPaths[modelOf(payload)] - 1) / perInvocation(payload));
  },

  decode(payload, _round, lo, hi, output) {
    const view = new DataView(output.buffer, output.byteOffset, output.length);
    const word = (index: number) => BigInt(view.getUint32(4 * index, true));
    const [first, end] = pathsOf(payload, lo, hi);
    const paths = BigInt(end - first);
    const pi = modelOf(payload) === "pi";
    return encodeTally(payload, {
      paths,
      hits: pi ? paths - word(0) : word(0),
      sum: word(1) | (word(2) << 32n),
      squares: word(3) | (word(4) << 32n) | (word(5) << 64n),
    });
  },
};
