/** AssemblyScript to WebAssembly, with errors that name line and column. */
import type { Fault } from "./messages.ts";

/** The allocator is exported whether or not the code thinks of it. */
const entry = 'export * from "./code";\nexport { alloc } from "./queztl";\n';
const flags = ["-O3", "--noAssert", "--runtime", "stub", "--disable", "simd", "--outFile", "kernel.wasm"];
const errorsMax = 32;

interface Diagnostic {
  code: number;
  category: number;
  message: string;
  range: { start: number; source: { normalizedPath: string } | null } | null;
}
/** As the compiler numbers categories. */
const isError = ({ category }: Diagnostic): boolean => category === 3;

/** `library` is what the code imports as "./queztl". */
export async function compile(code: string, library: string): Promise<{ wasm: Uint8Array } | { fault: Fault }> {
  const { default: asc } = await import("assemblyscript/asc");
  const files = new Map([
    ["entry.ts", entry],
    ["code.ts", code],
    ["queztl.ts", library],
  ]);
  const diagnostics: Diagnostic[] = [];
  let wasm: Uint8Array | undefined;
  const { error } = await asc.main(["entry.ts", ...flags], {
    readFile: (name: string) => files.get(name) ?? null,
    writeFile: (_name: string, content: Uint8Array | string) => {
      if (typeof content !== "string") wasm = content;
    },
    listFiles: () => [],
    reportDiagnostic: (diagnostic: unknown) => void diagnostics.push(diagnostic as Diagnostic),
  });
  if (wasm && !error) return { wasm };
  const errors = diagnostics
    .filter(isError)
    .slice(0, errorsMax)
    .map((one) => told(one, files));
  if (errors.length === 0) errors.push(error?.message ?? "The compiler gave no module.");
  return {
    fault: { field: "code", errors, remedy: "Correct the code; its run(at, length) is described in docs/custom.md." },
  };
}

function told({ message, code, range }: Diagnostic, files: ReadonlyMap<string, string>): string {
  const file = range?.source?.normalizedPath ?? "";
  const text = files.get(file);
  if (!range || text === undefined) return `${file === "" ? "" : `${file}: `}AS${code}: ${message}`;
  const before = text.slice(0, range.start).split("\n");
  const place = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
  return `${file === "code.ts" ? "" : `${file}, `}${place}: AS${code}: ${message}`;
}
