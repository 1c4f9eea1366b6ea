/**
 * `npm run bench:linear [-- --quick]`: products and LINPACK's systems on one thread of WebAssembly, against OpenBLAS through
 * NumPy on one thread: once with OpenBLAS's kernels of the same 128 bits, once with this CPU's. Every set runs each once.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Workload } from "../../kernels/contract.ts";
import { loadManifest, readKernelFile } from "../../kernels/manifest.ts";
import { WasmRunner } from "../../kernels/run/wasm.ts";
import science from "../../kernels/workloads/scientific_computing/workload.ts";
import { type Spread, spreadOf } from "../kernels/measure.ts";

interface Case {
  name: string;
  /** As blas.py is asked. */
  asked: string;
  payload: unknown;
  operations: number;
}

const quick = process.argv.includes("--quick");
const [n, order, sets] = quick ? [256, 200, 1] : [1024, 2000, 5];
const cases: Case[] = [
  ...(["f64", "f32"] as const).map((precision) => ({
    name: `product of ${n} x ${n} in ${precision}`,
    asked: `product ${n} float${precision.slice(1)}`,
    payload: { problem: "matmul", rows: n, inner: n, columns: n, precision },
    operations: 2 * n ** 3,
  })),
  {
    name: `system of ${order} equations in f64`,
    asked: `solve ${order} float64`,
    payload: { problem: "linpack", n: order },
    operations: (2 / 3) * order ** 3 + 1.5 * order ** 2,
  },
];

const files = loadManifest().scientific_computing?.files;
if (!files) throw new Error("The kernels are not built: run npm run build.");

function wasm(simd: boolean): (one: Case) => Promise<number> {
  const runner = new WasmRunner(async (sha256) => readKernelFile("wasm", sha256), { simd });
  const workload = science as unknown as Workload;
  return async ({ payload: given }) => {
    const payload = workload.payload.parse(given);
    const { tasks } = workload.plan(payload);
    const before = process.cpuUsage();
    for (let lo = 0; lo < tasks; lo++) {
      const grain = { workload, files: files as never, payload, round: 0, input: null, inputs: null, lo, hi: lo + 1 };
      await runner.run(grain, new AbortController().signal);
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
}

/** NumPy in a process of its own; `core` picks OpenBLAS's kernels. Null where there is no NumPy. */
async function blas(
  core: string | null,
): Promise<{ about: string; run(one: Case): Promise<number>; child: ChildProcess } | null> {
  if (spawnSync("python3", ["-c", "import numpy"]).status !== 0) return null;
  const env = { ...process.env, OPENBLAS_NUM_THREADS: "1", ...(core ? { OPENBLAS_CORETYPE: core } : {}) };
  const script = fileURLToPath(new URL("blas.py", import.meta.url));
  const child = spawn("python3", [script], { env, stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => (await lines.next()).value as string;
  const { numpy, blas: name } = JSON.parse(await next()) as { numpy: string; blas: string };
  return {
    about: `NumPy ${numpy}, ${name}, ${core ?? "this CPU's kernels"}, one thread`,
    child,
    run: async ({ asked }) => {
      child.stdin.write(`${asked}\n`);
      return Number(await next());
    },
  };
}

const contenders = new Map<string, (one: Case) => Promise<number>>([
  ["WASM SIMD", wasm(true)],
  ["WASM scalar", wasm(false)],
]);
const peers =
  process.arch === "x64" ? { "OpenBLAS, 128 bits": "Nehalem", "OpenBLAS, this CPU's": null } : { OpenBLAS: null };
const about: Record<string, string> = {};
const children: ChildProcess[] = [];
for (const [name, core] of Object.entries(peers)) {
  const peer = await blas(core);
  if (!peer) {
    console.log(`${name} is left out: there is no NumPy (python3 -m pip install numpy).`);
    continue;
  }
  contenders.set(name, peer.run);
  about[name] = peer.about;
  children.push(peer.child);
}

interface Row {
  name: string;
  gflops: number;
  ms: Spread;
  /** Speed over WASM SIMD's in the same set. */
  ratio: Spread;
}
const startedAt = new Date().toISOString();
const load = loadavg()[0];
const results: { name: string; rows: Row[] }[] = [];
for (const one of cases) {
  const times = new Map([...contenders.keys()].map((name) => [name, [] as number[]]));
  // The first run compiles, packs and warms up.
  for (const run of contenders.values()) await run(one);
  for (let set = 0; set < sets; set++) for (const [name, run] of contenders) times.get(name)?.push(await run(one));
  const base = times.get("WASM SIMD") as number[];
  const rows = [...times].map(([name, ms]) => ({
    name,
    gflops: one.operations / (spreadOf(ms).median * 1e6),
    ms: spreadOf(ms),
    ratio: spreadOf(ms.map((own, set) => (base[set] as number) / own)),
  }));
  results.push({ name: one.name, rows });
  console.log(`\n${one.name}`);
  for (const { name, gflops, ratio } of rows)
    console.log(
      `  ${name.padEnd(22)} ${gflops.toFixed(1).padStart(6)} GFLOPS  ${ratio.median.toFixed(2)}x (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)})`,
    );
}
for (const child of children) child.stdin?.end();

if (!quick) {
  const file = fileURLToPath(new URL("../results/linear-latest.json", import.meta.url));
  mkdirSync(dirname(file), { recursive: true });
  const machine = { cpu: cpus()[0]?.model ?? "unknown", load, node: process.version };
  writeFileSync(file, `${JSON.stringify({ startedAt, machine, about, sets, results }, null, 2)}\n`);
  console.log(`\nWritten to ${file}`);
}
