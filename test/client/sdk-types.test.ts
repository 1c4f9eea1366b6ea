/** The SDK's one file and its types, as a program outside of this repository has them: nothing else of ours, no package. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function complaints(program: string): string[] {
  const file = join(folder, "program.mts");
  writeFileSync(file, program);
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
    types: [],
  };
  const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram([file], options));
  return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
}

it("a program that uses them compiles, and one that uses them wrongly does not", () => {
  const program = `
    import { connect, GridProblem, type Job, type JobView } from "./queztl-sdk.mjs";
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
    console.log(estimate, search.id, views, later, (await grid.nodes())[0]?.cpu_cores, job.accepted.replayed);
    export {};
  `;
  expect(complaints(program)).toEqual([]);
  const wrong = (line: string) => complaints(program.replace("export {};", `${line}\nexport {};`));
  expect(wrong('await grid.submit("monte_carlo", { iterations: "ten" });')).toHaveLength(1);
  expect(wrong('await grid.submit("monte_carlo", { iterations: 1, itarations: 1 });')).toHaveLength(1);
  expect(
    wrong('const text: string = (await grid.job<"monte_carlo">("id").result()).estimate; console.log(text);'),
  ).toHaveLength(1);
  expect(wrong('import { Grid } from "./queztl-sdk.mjs"; console.log(new Grid());')).toHaveLength(1);
}, 60_000);

it("the types promise what the file has", async () => {
  const text = readFileSync(join(folder, "queztl-sdk.d.mts"), "utf8");
  const promised = [...text.matchAll(/^export declare (?:class|function|const) (\w+)/gm)].map(([, name]) => name);
  const module = (await import(pathToFileURL(join(folder, "queztl-sdk.mjs")).href)) as object;
  expect(promised.sort()).toEqual(Object.keys(module).sort());
  for (const type of workloads.keys()) expect(text.split(`\n  ${type}: {`)).toHaveLength(3);
});
