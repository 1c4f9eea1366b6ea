/** Researchers' own code on the real grid: the SDK, the shell, and the examples of the documentation. */
import { type ChildProcess, execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, GridProblem } from "../../client/sdk/index.ts";
import type { JobResult, JobView } from "../../protocol/rest.ts";
import { getJson, type RunningGrid, startGrid, until } from "../e2e/grid-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "queztl-custom-"));
let grid: RunningGrid;
let worker: ChildProcess;

beforeAll(async () => {
  grid = await startGrid();
  worker = grid.worker({ own: true });
});
afterAll(async () => {
  await grid?.end();
  rmSync(folder, { recursive: true, force: true });
});

async function run(args: string[]): Promise<string> {
  const env = {
    ...process.env,
    QUEZTL_URL: grid.url,
    QUEZTL_SDK: pathToFileURL(join(root, "dist", "queztl-sdk.mjs")).href,
  };
  return (await promisify(execFile)(process.execPath, args, { cwd: root, env, timeout: 55_000 })).stdout;
}

const head = 'import { index, text, answer } from "./queztl";\nexport function run(at: usize, length: i32): u64 {\n';
const squares = `${head}  const n = I64.parseInt(text(at, length));\n  return answer((n * n).toString());\n}\n`;

describe("grid.map", () => {
  it("runs a program over many inputs, in order", async () => {
    const found: number[] = [];
    const inputs = Array.from({ length: 700 }, (_, index) => index - 350);
    for await (const { index, value } of connect(grid.url).map<number>(inputs, { source: squares, batch: 100 })) {
      expect(index).toBe(found.length);
      found.push(value);
    }
    expect(found).toEqual(inputs.map((value) => value * value));
  });

  it("tells the place of a mistake in the program", async () => {
    const rows = connect(grid.url).map([1], { source: squares.replace("n * n", "m * n") });
    const problem = await rows.next().catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(GridProblem);
    expect(problem).toMatchObject({ code: "invalid_payload", field: "payload.code" });
    expect((problem as GridProblem).detail).toContain("line 4, column 18");
  });
});

it("runs over the records of an uploaded file, each node seeing its own", async () => {
  const bytes = new Uint8Array(300_000 * 3).map((_, at) => (at * 31) & 255);
  const sdk = connect(grid.url);
  const { blob } = await sdk.upload(bytes);
  const code = `${head}  return answer((<i32>load<u8>(at) + <i32>load<u8>(at, 1) * 2 + <i32>length).toString());\n}\n`;
  const payload = { language: "assemblyscript", code, inputs: { blob, record_bytes: 300 } } as const;
  const { outputs } = await (await sdk.submit("custom", payload)).result();
  const due = Array.from(
    { length: 3_000 },
    (_, at) => (bytes[at * 300] as number) + 2 * (bytes[at * 300 + 1] as number) + 300,
  );
  expect(outputs).toEqual(due);
});

it("runs over the lines of an uploaded file", async () => {
  const sdk = connect(grid.url);
  const rows = Array.from({ length: 4_000 }, (_, at) => JSON.stringify({ at, word: "x".repeat(at % 50) }));
  const { blob } = await sdk.upload(new TextEncoder().encode(`${rows.join("\n")}\n`));
  const code = `${head}  return answer(text(at, length));\n}\n`;
  const payload = { language: "assemblyscript", code, inputs: { blob, format: "lines" } } as const;
  const { outputs } = await (await sdk.submit("custom", payload)).result();
  expect(outputs).toEqual(rows.map((row) => JSON.parse(row)));
});

it("says when a module can be saved under way, and goes on elsewhere when its node goes", async () => {
  const code = `import { index, answer, progress } from "./queztl";
let at = 0, number: i64 = 0, sum: u64 = 0;
export function begin(place: usize, length: i32): void { at = 0; sum = 0; number = index(place); }
export function step(budgetMs: i32): i32 {
  for (let i = 0; i < 4000000; i++, at++) for (let j = 0; j < 3; j++) sum = sum * 6364136223846793005 + <u64>number + 1;
  progress(at / 4e9);
  return at >= 4000000000 ? 1 : 0;
}
export function output(): u64 { return answer(sum.toString()); }
const room = new StaticArray<u8>(16);
export function save(): u64 {
  const place = changetype<usize>(room);
  store<i64>(place, at);
  store<u64>(place, sum, 8);
  return ((<u64>16) << 32) | place;
}
function restore(place: usize, length: i32): void {
  at = <u32>load<i64>(place);
  sum = load<u64>(place, 8);
}
export { restore as load };
`.replace("let at = 0,", "let at: u32 = 0,");
  const limits = { task_seconds: 60 };
  const job = await connect(grid.url).submit("custom", {
    language: "assemblyscript",
    code,
    inputs: { count: 1 },
    limits,
  });
  const view = () => getJson<JobView>(`${grid.url}/api/v1.2/workload/${job.id}`);
  await until(async () => (await view()).status === "running", 30_000, grid.output);
  // Long enough for a state to be saved; then its node goes without a word, and another comes.
  await new Promise((resolve) => setTimeout(resolve, 7_500));
  worker.kill("SIGKILL");
  worker = grid.worker({ own: true });
  await until(async () => (await view()).status === "completed", 90_000, grid.output);
  const expected = (task: bigint) => {
    // The same generator, 12e9 steps ahead at once (Brown 1994).
    let [a, c, power, sum, steps] = [6_364_136_223_846_793_005n, task + 1n, 1n, 0n, 12_000_000_000n];
    for (; steps > 0n; steps >>= 1n) {
      if (steps & 1n) [power, sum] = [BigInt.asUintN(64, power * a), BigInt.asUintN(64, sum * a + c)];
      [c, a] = [BigInt.asUintN(64, (a + 1n) * c), BigInt.asUintN(64, a * a)];
    }
    return sum;
  };
  const { result } = await getJson<JobResult>(`${grid.url}/api/v1.2/workload/${job.id}/result`);
  expect((result as { outputs: unknown[] }).outputs).toEqual([Number(expected(0n))]);
  const receipt = await (await fetch(`${grid.url}/api/v1.2/workload/${job.id}/receipt`)).json();
  const kinds = (receipt as { ranges: { range: { audits: { kind: string }[] } }[] }).ranges.flatMap(({ range }) =>
    range.audits.map(({ kind }) => kind),
  );
  expect(kinds).toEqual(["checkpoint"]);
}, 180_000);

it("folds all outputs into one by the program's own merge, over rounds", async () => {
  const code = `import { index, text, answer } from "./queztl";
export function run(at: usize, length: i32): u64 {
  return answer(index(at).toString());
}
export function merge(a: usize, aLength: i32, b: usize, bLength: i32): u64 {
  return answer((I64.parseInt(text(a, aLength)) + I64.parseInt(text(b, bLength))).toString());
}
`;
  const sdk = connect(grid.url);
  // 200 grains: two rounds of merging after the first.
  const payload = {
    language: "assemblyscript",
    code,
    inputs: { count: 10_000 },
    tasks_per_grain: 50,
    merge: true,
  } as const;
  const job = await sdk.submit("custom", payload);
  expect(await job.result()).toMatchObject({ outputs: [(9_999 * 10_000) / 2], tasks: 10_000, merged: true });
  const without = sdk.submit("custom", { ...payload, code: squares });
  await expect(without).rejects.toMatchObject({
    code: "invalid_payload",
    detail: expect.stringContaining("export merge"),
  });
});

it("queztl map: lines in, lines out", async () => {
  const program = join(folder, "squares.ts");
  const lines = join(folder, "numbers.jsonl");
  writeFileSync(program, squares);
  writeFileSync(lines, "3\n4\n5\n");
  expect(await run(["dist/queztl.mjs", "map", program, lines])).toBe("9\n16\n25\n");
});

describe("the examples of the documentation", () => {
  it("primes", async () => {
    expect(await run(["docs/examples/primes.mjs", "300000"])).toBe("There are 25997 primes below 300000.\n");
  });

  it("mandelbrot", async () => {
    const file = join(folder, "zoom.pgm");
    expect(await run(["docs/examples/mandelbrot.mjs", file, "64", "1e-3"])).toContain("64 by 64 pixels");
    const image = readFileSync(file);
    expect(image.subarray(0, 13).toString()).toBe("P5\n64 64\n255\n");
    expect(image).toHaveLength(13 + 64 * 64);
    // Against the definition, for some points.
    const [left, top] = [-0.743643887037151 - 5e-4, 0.13182590420533 + 5e-4];
    for (const [column, row] of [
      [0, 0],
      [13, 40],
      [63, 5],
    ] as const) {
      expect(image[13 + 64 * row + column]).toBe(shade(left + (1e-3 * column) / 64, top - (1e-3 * row) / 64));
    }
  });

  it("sweep", async () => {
    expect(await run(["docs/examples/sweep.mjs", "4"])).toMatch(
      /^Of 16 pairs, prey swings most \(by \d+\.\d\d\) at hunt/,
    );
  });

  it("kmers", async () => {
    const fasta = join(folder, "genome.fasta");
    let state = 1;
    const letters = Array.from({ length: 40_000 }, () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return "ACGT"[(state >> 16) & 3] as string;
    }).join("");
    writeFileSync(fasta, `>one\n${letters.replace(/(.{70})/g, "$1\n")}\n>two\nACGTNACGT\n`);
    const counts = new Map<string, number>();
    for (const sequence of [letters, "ACGT", "ACGT"])
      for (let at = 0; at + 3 <= sequence.length; at++) {
        const word = sequence.slice(at, at + 3);
        counts.set(word, (counts.get(word) ?? 0) + 1);
      }
    const [[word, most] = ["", 0]] = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    expect(await run(["docs/examples/kmers.mjs", fasta, "3"])).toContain(
      `${total} 3-mers; most of them ${word} ${most}`,
    );
  });
});

function shade(cx: number, cy: number): number {
  let [x, y] = [0, 0];
  for (let step = 0; step < 2_000; step++) {
    const [xx, yy] = [x * x, y * y];
    if (xx + yy > 4) return 55 + ((step * 7) % 200);
    y = 2 * x * y + cy;
    x = xx - yy + cx;
  }
  return 0;
}
