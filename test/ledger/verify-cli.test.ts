/** `npm run verify-receipt`, as a person runs it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FakeNode } from "../../server/testing/fake-node.ts";
import { complete, joinToken, parts, start } from "./world.ts";

const folder = mkdtempSync(join(tmpdir(), "queztl-receipt-"));
const root = fileURLToPath(new URL("../../", import.meta.url));
const files: Record<string, string> = {};
const file = (name: string, text: string): void => {
  files[name] = join(folder, name);
  writeFileSync(files[name], text);
};
const made = parts();

beforeAll(async () => {
  const coordinator = await start(made);
  new FakeNode({ joinToken }).join(coordinator);
  const job = await complete(coordinator);
  const text = (await coordinator.receipts.receipt(job, null)) as string;
  const next = (await coordinator.receipts.receipt(await complete(coordinator), null)) as string;
  file("receipt", text);
  file("next", next);
  file("extract", (await coordinator.receipts.receipt(job, { round: 0, grain: 3 })) as string);
  file("changed", text.replace('"revision":1', '"revision":2'));
  file("output", JSON.stringify({ result: (await coordinator.result(job))?.output }));
  file("garbage", "{");
  file("other", '{"type":"other"}');
  await coordinator.stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(...args: string[]): { status: number | null; out: string } {
  const named = args.map((arg) => files[arg] ?? arg);
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/queztl.cjs", "verify-receipt", ...named], {
    cwd: root,
    encoding: "utf8",
  });
  return { status, out: stdout + stderr };
}

it.each([
  { args: ["receipt"], says: /The receipt holds\. It is not final/ },
  { args: ["receipt", "--key", made.key.publicKey, "--output", "output"], says: / {2}ok {2}output/ },
  { args: ["next", "--previous", "receipt"], says: / {2}ok {2}previous/ },
  { args: ["extract", "--extract"], says: /the file is an extract/ },
  { args: ["receipt", "--json"], says: /^\{"holds":true/ },
])("accepts $args", ({ args, says }) => {
  const { status, out } = run(...args);
  expect(out).toMatch(says);
  expect(status).toBe(0);
});

it.each([
  { args: ["changed"], says: /FAIL {2}hash: .*\nFAIL {2}signature/ },
  { args: ["receipt", "--key", "ab".repeat(32)], says: /FAIL {2}key/ },
  { args: ["receipt", "--output", "changed"], says: /FAIL {2}output/ },
  { args: ["receipt", "--previous", "next"], says: /FAIL {2}previous/ },
  { args: ["other"], says: /FAIL {2}form/ },
  { args: ["changed", "--json"], says: /^\{"holds":false/ },
])("refuses $args, and says which check failed", ({ args, says }) => {
  const { status, out } = run(...args);
  expect(out).toMatch(says);
  expect(status).toBe(1);
});

it("says how it is used", () => {
  expect(run().status).toBe(2);
  expect(run("receipt", "--what").out).toMatch(/What is --what\?\nUsage/);
  expect(run("garbage").status).toBe(1);
});
