/** Holds the laws of docs/ARCHITECTURE.md: which way imports go, what is pure, and how large a room may grow. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
const floors = ["protocol", "agent", "kernels", "server", "client", "native-worker", "benchmarks", "test", "scripts"];

interface Source {
  path: string;
  text: string;
  imports: string[];
  /** Packages and node: modules. */
  packages: string[];
}

function walk(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === "node_modules" || entry.name === "dist" ? [] : walk(path);
    return /\.(ts|svelte)$/.test(entry.name) && !entry.name.endsWith(".as.ts") ? [path] : [];
  });
}

function read(path: string): Source {
  const text = readFileSync(join(root, path), "utf8");
  const specifiers = [...text.matchAll(/(?:from|import|import\()\s*["']([^"']+)["']/g)].map(
    (match) => match[1] as string,
  );
  const imports = specifiers
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) =>
      relative(root, resolve(root, dirname(path), specifier))
        .split(sep)
        .join("/"),
    );
  return { path, text, imports, packages: specifiers.filter((specifier) => !specifier.startsWith(".")) };
}

const sources = floors.flatMap((floor) => walk(floor)).map(read);
const product = sources.filter((source) => !isTest(source.path) && !/^(test|benchmarks|scripts)\//.test(source.path));

function isTest(path: string): boolean {
  return /\.test\.ts$|\/(conformance|harness|fixtures|testing)(\.ts$|\/)|\/dev\//.test(path);
}

function offences(of: Source[], allowed: (target: string, source: Source) => boolean): string[] {
  return of.flatMap((source) =>
    source.imports.filter((target) => !allowed(target, source)).map((target) => `${source.path} imports ${target}`),
  );
}

const inside = (folder: string) => (source: Source) => source.path.startsWith(`${folder}/`);
const under = (target: string, ...folders: string[]) => folders.some((folder) => target.startsWith(`${folder}/`));

describe("imports go down the floors only", () => {
  it("protocol imports nothing of ours", () => {
    expect(offences(product.filter(inside("protocol")), (target) => under(target, "protocol"))).toEqual([]);
  });
  it("kernels imports protocol and itself", () => {
    expect(offences(product.filter(inside("kernels")), (target) => under(target, "protocol", "kernels"))).toEqual([]);
  });
  it("agent imports protocol, kernels and itself", () => {
    expect(
      offences(product.filter(inside("agent")), (target) => under(target, "protocol", "kernels", "agent")),
    ).toEqual([]);
  });
  it("the programs never see each other", () => {
    expect(
      offences(product.filter(inside("server")), (target) => under(target, "protocol", "kernels", "server")),
    ).toEqual([]);
    for (const program of ["client", "native-worker"]) {
      const allowed = (target: string) => under(target, "protocol", "kernels", "agent", program);
      expect(offences(product.filter(inside(program)), allowed)).toEqual([]);
    }
  });
  it("the SDK runs anywhere: the protocol, types of kernels, the parser of event streams, and no package", () => {
    const sdk = product.filter(inside("client/sdk"));
    expect(sdk.length).toBeGreaterThan(5);
    const anywhere = (target: string) => target === "protocol/limits.ts" || target === "client/shared/sse.ts";
    const values = sdk.flatMap((source) => valueImports(source).map((target) => ({ source, target })));
    expect(values.filter(({ target }) => !under(target, "client/sdk") && !anywhere(target))).toEqual([]);
    expect(offences(sdk, (target) => under(target, "client/sdk", "protocol", "kernels") || anywhere(target))).toEqual(
      [],
    );
    expect(sdk.flatMap((source) => source.packages)).toEqual([]);
  });
  it("the command line imports the SDK's front door and the protocol, and no package but Node's", () => {
    const cli = product.filter(inside("client/cli"));
    expect(cli.length).toBeGreaterThan(5);
    const allowed = (target: string) =>
      under(target, "client/cli") || ["client/sdk/index.ts", "protocol/limits.ts"].includes(target);
    expect(offences(cli, allowed)).toEqual([]);
    expect(cli.flatMap((source) => source.packages).filter((name) => !name.startsWith("node:"))).toEqual([]);
  });
  it("the pages do not import the SDK or the command line", () => {
    const pages = product.filter((source) => /^client\/(?!sdk\/|cli\/)/.test(source.path));
    expect(offences(pages, (target) => !under(target, "client/sdk", "client/cli"))).toEqual([]);
  });
  it("the core imports the contract and the protocol, and no package", () => {
    const core = product.filter(inside("server/core"));
    const allowed = (target: string) => under(target, "protocol", "server/core") || target === "kernels/contract.ts";
    expect(offences(core, allowed)).toEqual([]);
    expect(core.flatMap((source) => source.packages)).toEqual([]);
  });
  it("the autoscaler's decision imports its own pure files, the port's words and the protocol, and no package", () => {
    const pure = product.filter((source) => /^server\/autoscaler\/(?!scaler\.ts)[^/]+\.ts$/.test(source.path));
    const allowed = (target: string) =>
      under(target, "protocol") ||
      target === "server/autoscaler/cloud/provider.ts" ||
      (/^server\/autoscaler\/[^/]+$/.test(target) && target !== "server/autoscaler/scaler.ts");
    expect(pure.length).toBeGreaterThan(10);
    expect(offences(pure, allowed)).toEqual([]);
    expect(pure.flatMap((source) => source.packages)).toEqual([]);
  });
  it("adapters never import adapters", () => {
    const adapters = [
      "server/store/sqlite.ts",
      "server/store/memory.ts",
      "server/blobs/filesystem.ts",
      "server/blobs/memory.ts",
    ];
    const found = product
      .filter((source) => adapters.includes(source.path))
      .flatMap((source) =>
        source.imports
          .filter((target) => adapters.includes(target))
          .map((target) => `${source.path} imports ${target}`),
      );
    expect(found).toEqual([]);
  });
  it("nothing imports a main.ts, and the product never imports tests or benchmarks", () => {
    expect(offences(sources, (target) => !/(^|\/)main\.ts$/.test(target))).toEqual([]);
    expect(offences(product, (target) => !under(target, "test", "benchmarks") && !/\.test\.ts$/.test(target))).toEqual(
      [],
    );
  });
  it("runs in no circle", () => {
    expect(circles(product)).toEqual([]);
  });
});

/** Circles of imports that are not of types only (those vanish when compiled). */
function circles(of: Source[]): string[] {
  const values = new Map(of.map((source) => [source.path, valueImports(source)]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      found.push([...trail.slice(at), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    // A component that shows itself within itself is recursion, not a circle.
    for (const target of values.get(path) ?? []) if (target !== path) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of values.keys()) visit(path, []);
  return found;
}

function valueImports(source: Source): string[] {
  const statements = [
    ...source.text.matchAll(/^(?:import|export)\s+(?!type\b)(?:[^;]*?\sfrom\s+)?["'](\.[^"']+)["']/gm),
  ];
  return statements.map((match) =>
    relative(root, resolve(root, dirname(source.path), match[1] as string))
      .split(sep)
      .join("/"),
  );
}

describe("what is pure stays pure", () => {
  const pure = product.filter(
    (source) =>
      source.path.startsWith("server/core/") ||
      /^agent\/(machine.*|view)\.ts$/.test(source.path) ||
      // The autoscaler's own floor is pure but for the shell; its rooms (cloud, shell) are not.
      (/^server\/autoscaler\/[^/]+\.ts$/.test(source.path) && source.path !== "server/autoscaler/scaler.ts"),
  );
  const banned = [
    /\bDate\.now\b/,
    /\bnew Date\(/,
    /\bMath\.random\b/,
    /\bperformance\./,
    /\bsetTimeout\b/,
    /\bsetInterval\b/,
    /\bprocess\.[a-z]/,
    /\bcrypto\./,
    /\bfetch\(/,
    /\bawait\b/,
  ];
  it("has no clock, no randomness, no I/O", () => {
    expect(pure.length).toBeGreaterThan(15);
    const found = pure.flatMap((source) =>
      banned
        .filter((pattern) => pattern.test(withoutComments(source.text)))
        .map((pattern) => `${source.path}: ${pattern.source}`),
    );
    expect(found).toEqual([]);
  });
  it("only config.ts reads the environment of the coordinator", () => {
    const readers = product.filter(
      (source) => source.path.startsWith("server/") && /process\.env/.test(withoutComments(source.text)),
    );
    // main.ts asks for one switch that only changes how an error is printed; local-worker.ts hands the environment on.
    expect(readers.map((source) => source.path).sort()).toEqual([
      "server/config.ts",
      "server/local-worker.ts",
      "server/main.ts",
    ]);
  });
});

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");

describe("rooms stay small", () => {
  it("no file of the product has more than 450 lines", () => {
    const large = product.filter((source) => source.text.split("\n").length > 450).map((source) => source.path);
    expect(large).toEqual([]);
  });
});

describe("what is written", () => {
  it("speaks of no machine's own paths", () => {
    const paths = new RegExp(`(^|[\\s"'\`(])/(${["wor" + "k", "ro" + "ot", "ho" + "me"].join("|")})/[a-z]`);
    const found = sources.filter((source) => paths.test(source.text)).map((source) => source.path);
    expect(found).toEqual([]);
  });
});
