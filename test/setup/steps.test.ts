import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { driverPackage, localHeaders } from "../../scripts/lib/driver.mjs";
import { packagesMatch } from "../../scripts/lib/packages.mjs";
import { npmCli } from "../../scripts/lib/paths.mjs";
import { hashInputs, isDone, markDone } from "../../scripts/lib/stamp.mjs";

let base = "";
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "queztl-steps-"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(join(base, path, ".."), { recursive: true });
  writeFileSync(join(base, path), text);
}

describe("stamps", () => {
  test("the hash follows names and contents, not tests or what others built", () => {
    write("kernels/a.ts", "1");
    const first = hashInputs(["kernels"], "", base);
    write("kernels/a.test.ts", "tests are no input");
    write("kernels/node_modules/b.ts", "nor are packages");
    expect(hashInputs(["kernels"], "", base)).toBe(first);
    write("kernels/a.ts", "2");
    const second = hashInputs(["kernels"], "", base);
    expect(second).not.toBe(first);
    rmSync(join(base, "kernels/a.ts"));
    write("kernels/b.ts", "2");
    expect(hashInputs(["kernels"], "", base)).not.toBe(second);
    expect(hashInputs(["kernels"], "other options", base)).not.toBe(hashInputs(["kernels"], "", base));
  });

  test("a step is done until its hash or an output changes", () => {
    const where = { base, folder: join(base, "stamps") };
    write("dist/kernels/a.wasm", "four");
    expect(isDone("kernels", "h", ["dist/kernels"], where)).toBe(false);
    markDone("kernels", "h", ["dist/kernels"], where);
    expect(isDone("kernels", "h", ["dist/kernels"], where)).toBe(true);
    expect(isDone("kernels", "other", ["dist/kernels"], where)).toBe(false);
    write("dist/kernels/a.wasm", "truncated?");
    expect(isDone("kernels", "h", ["dist/kernels"], where)).toBe(false);
    rmSync(join(base, "dist"), { recursive: true });
    expect(isDone("kernels", "h", ["dist/kernels"], where)).toBe(false);
  });

  test("a broken stamp means: again", () => {
    write("stamps/kernels.json", '{"hash": "h"');
    expect(isDone("kernels", "h", [], { base, folder: join(base, "stamps") })).toBe(false);
  });
});

describe("packages", () => {
  const lock = {
    "": {},
    "node_modules/a": { version: "1.0.0" },
    "node_modules/b": { version: "2.0.0", optional: true },
  };
  const install = (installed: Record<string, object>) => {
    write("package-lock.json", JSON.stringify({ packages: lock }));
    write("node_modules/.package-lock.json", JSON.stringify({ packages: installed }));
  };

  test("match when every package is there in its version; another platform's may be absent", () => {
    install({ "node_modules/a": { version: "1.0.0" } });
    write("node_modules/a/package.json", "{}");
    expect(packagesMatch(base)).toBe(true);
  });

  test("do not match when one is missing, older or deleted, or when npm did not finish", () => {
    expect(packagesMatch(base)).toBe(false);
    install({ "node_modules/b": { version: "2.0.0" } });
    expect(packagesMatch(base)).toBe(false);
    install({ "node_modules/a": { version: "0.9.0" } });
    write("node_modules/a/package.json", "{}");
    expect(packagesMatch(base)).toBe(false);
    install({ "node_modules/a": { version: "1.0.0" } });
    rmSync(join(base, "node_modules/a"), { recursive: true });
    expect(packagesMatch(base)).toBe(false);
    write("node_modules/a/package.json", "{}");
    rmSync(join(base, "node_modules/.package-lock.json"));
    expect(packagesMatch(base)).toBe(false);
  });
});

describe("the driver", () => {
  test("is the one that works on this version of Node", () => {
    expect(driverPackage("20.19.0")).toBe("better-sqlite3-node20");
    expect(driverPackage("22.12.0")).toBe("better-sqlite3");
    expect(driverPackage("24.0.0")).toBe("better-sqlite3");
  });

  test("is compiled with local headers only when they are of this very version", () => {
    const define = (major: number, minor: number, patch: number) =>
      `#define NODE_MAJOR_VERSION ${major}\n#define NODE_MINOR_VERSION ${minor}\n#define NODE_PATCH_VERSION ${patch}\n`;
    const node = join(base, "bin", "node");
    expect(localHeaders(node, "20.19.1")).toBeNull();
    write("include/node/node_version.h", define(20, 19, 1));
    expect(localHeaders(node, "20.19.1")).toBe(base);
    expect(localHeaders(node, "20.19.2")).toBeNull();
  });
});

describe("npm", () => {
  test("is the one that runs the script, else the one beside Node, never another package manager", () => {
    write("lib/node_modules/npm/bin/npm-cli.js", "");
    write("other/npm-cli.js", "");
    write("other/yarn.js", "");
    const node = join(base, "bin", "node");
    const beside = join(base, "lib/node_modules/npm/bin/npm-cli.js");
    expect(npmCli({ npm_execpath: join(base, "other/npm-cli.js") }, node)).toBe(join(base, "other/npm-cli.js"));
    expect(npmCli({ npm_execpath: join(base, "other/yarn.js") }, node)).toBe(beside);
    expect(npmCli({}, node)).toBe(beside);
  });
});
