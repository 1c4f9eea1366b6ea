/** The SDK's one file and its types, as a program outside of this repository has them: nothing else of ours, no package. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import ts from "typescript";
import { afterAll, beforeAll, expect, it } from "vitest";
import { workloads } from "../../kernels/workloads.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "queztl-types-"));
beforeAll(async () => {
  const run = (script: string) => promisify(execFile)(process.execPath, [script, folder], { cwd: root });
  await Promise.all([run("scripts/build-cli.mjs"), run("scripts/sdk-types.mjs")]);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the compiler says of each program. All are compiled at once, since most of the time goes into what they share. */
function complaints(programs: Record<string, string>): Record<string, string[]> {
  const paths = Object.keys(programs).map((name) => join(folder, `${name}.mts`));
  for (const [at, text] of Object.values(programs).entries()) writeFileSync(paths[at]!, text);
  const program = ts.createProgram(paths, {
    strict: true,
    noEmit: true,
    skipDefaultLibCheck: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
    types: [],
  });
  const all = ts.getPreEmitDiagnostics(program);
  const of = (name: string) => all.filter(({ file }) => file === undefined || basename(file.fileName) === name);
  const said = (name: string) => of(name).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
  return Object.fromEntries(["queztl-sdk.d", ...Object.keys(programs)].map((name) => [name, said(`${name}.mts`)]));
}

it("a program that uses them compiles, and those that use them wrongly do not", () => {
  const right = `
    import { connect, GridProblem, type Job, type JobView, type MapOptions } from "./queztl-sdk.mjs";
    const grid = connect("http://localhost:8000", { key: "k", onRetry: (problem) => console.log(problem.code) });
    const job = await grid.submit("monte_carlo", { iterations: 10, model: "pi" }, { priority: 8 });
    const estimate: number = (await job.result()).estimate;
    for await (const event of job.progress()) {
      if (event.event === "partial") console.log(event.fraction, event.id);
      else console.log(event.job.progress.grains_accepted, event.job.status === "completed");
    }
    const search: Job<{ found: boolean }> = grid.job<"crypto_mining">("id");
    const views: JobView[] = [];
    for await (const view of grid.jobs({ state: "running" })) views.push(view);
    const later: unknown = await (await grid.submit("a_later_one", { anything: 1 })).result();
    try { await job.cancel(); } catch (error) { if (error instanceof GridProblem) console.log(error.remedy?.length); }
    const options: MapOptions = { source: "export function task(): void {}", batch: 8 };
    for await (const { index, value } of grid.map<number>([1, 2], options)) console.log(index + value);
    console.log(estimate, search.id, views, later, (await grid.nodes())[0]?.cpu_cores, job.accepted.replayed);
  `;
  const wrong = (line: string): string =>
    `import { connect } from "./queztl-sdk.mjs"; const grid = connect("http://localhost:8000");\n${line}`;
  const said = complaints({
    right,
    payload: wrong('await grid.submit("monte_carlo", { iterations: "ten" });'),
    field: wrong('await grid.submit("monte_carlo", { iterations: 1, itarations: 1 });'),
    result: wrong('const text: string = (await grid.job<"monte_carlo">("id").result()).estimate; console.log(text);'),
    made: wrong('import { Grid } from "./queztl-sdk.mjs"; console.log(new Grid());'),
  });
  const counts = Object.fromEntries(Object.entries(said).map(([name, lines]) => [name, lines.length]));
  expect(said.right).toEqual([]);
  expect(counts).toEqual({ "queztl-sdk.d": 0, right: 0, payload: 1, field: 1, result: 1, made: 1 });
}, 120_000);

it("the types promise what the file has", async () => {
  const text = readFileSync(join(folder, "queztl-sdk.d.mts"), "utf8");
  const promised = [...text.matchAll(/^export declare (?:class|function|const) (\w+)/gm)].map(([, name]) => name);
  const module = (await import(pathToFileURL(join(folder, "queztl-sdk.mjs")).href)) as object;
  expect(promised.sort()).toEqual(Object.keys(module).sort());
  for (const type of workloads.keys()) expect(text.split(`\n  ${type}: {`)).toHaveLength(3);
});
