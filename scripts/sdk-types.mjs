/**
 * Writes the SDK's types as one file beside its bundle, dist/queztl-sdk.d.mts (or into the folder that is named), so that
 * programs outside of this repository are typed too: the SDK's own declarations, and what they import from schemas and
 * workloads written out in full, since nobody else has those.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../", import.meta.url));
const sdk = join(root, "client", "sdk");
const folder = resolve(root, process.argv[2] ?? "dist");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Declarations that are copied, in this order. Others of the SDK are its inside. */
const copied = ["problem.ts", "retry.ts", "types.ts", "job.ts", "map.ts", "upload.ts", "grid.ts"];
/** Names that are written out, besides what the copied declarations import from the protocol. */
const expanded = ["Payloads", "Results"];
/** Objects within objects; a type that is deeper refers to itself, which no payload does. */
const depthMax = 24;

const parsed = ts.parseJsonConfigFileContent(
  ts.readConfigFile(join(sdk, "tsconfig.json"), ts.sys.readFile).config,
  ts.sys,
  sdk,
);
const program = ts.createProgram([join(sdk, "index.ts")], {
  ...parsed.options,
  composite: false,
  incremental: false,
  declaration: true,
  emitDeclarationOnly: true,
  stripInternal: true,
  outDir: join(folder, "declarations"),
});
const checker = program.getTypeChecker();

/** @param {string} name */
const source = (name) => {
  const file = program.getSourceFile(join(sdk, name));
  if (!file) throw new Error(`client/sdk/${name} is missing`);
  return file;
};

/**
 * A type, written out without a name that is not TypeScript's own. Throws for what is no plain data.
 * @param {ts.Type} type
 * @param {string} indent
 * @param {number} depth
 * @returns {string}
 */
function written(type, indent = "", depth = 0) {
  if (depth > depthMax) throw new Error(`a type nests deeper than ${depthMax}: ${checker.typeToString(type)}`);
  if (type.flags & ts.TypeFlags.Boolean) return "boolean";
  if (type.isUnion()) return union(type, indent, depth);
  if (type.isIntersection()) return object(type, indent, depth);
  if (type.flags & (ts.TypeFlags.TypeParameter | ts.TypeFlags.Conditional) || type.getCallSignatures().length > 0) {
    throw new Error(`no plain data: ${checker.typeToString(type)}`);
  }
  if (!(type.flags & ts.TypeFlags.Object)) return checker.typeToString(type);
  if (!checker.isArrayType(type) && !checker.isTupleType(type)) return object(type, indent, depth);
  const parts = checker.getTypeArguments(/** @type {ts.TypeReference} */ (type));
  const of = parts.map((part) => written(part, indent, depth + 1));
  return checker.isTupleType(type) ? `[${of.join(", ")}]` : `Array<${of[0]}>`;
}

/**
 * @param {ts.UnionType} type
 * @param {string} indent
 * @param {number} depth
 */
function union(type, indent, depth) {
  const parts = type.types.map((part) => written(part, indent, depth + 1));
  // The compiler keeps a boolean as its two values.
  const both = parts.includes("true") && parts.includes("false");
  const kept = both ? [...parts.filter((part) => part !== "true" && part !== "false"), "boolean"] : parts;
  return kept.join(" | ");
}

/**
 * @param {ts.Type} type
 * @param {string} indent
 * @param {number} depth
 */
function object(type, indent, depth) {
  const inner = `${indent}  `;
  const lines = checker.getIndexInfosOfType(type).map(({ keyType, type: value }) => {
    return `[key: ${checker.typeToString(keyType)}]: ${written(value, inner, depth + 1)};`;
  });
  for (const property of checker.getPropertiesOfType(type)) {
    const optional = (property.flags & ts.SymbolFlags.Optional) !== 0;
    const value = checker.getTypeOfSymbol(property);
    const plain = optional ? checker.getNonNullableType(value) : value;
    // Only `undefined` is what the question mark says; a null that may be there is kept.
    const nullable = optional && value.isUnion() && value.types.some((part) => part.flags & ts.TypeFlags.Null);
    const comment = ts.displayPartsToString(property.getDocumentationComment(checker));
    if (comment !== "") lines.push(`/** ${comment.replaceAll("\n", " ")} */`);
    const name = /^[A-Za-z_$][\w$]*$/.test(property.name) ? property.name : JSON.stringify(property.name);
    lines.push(`${name}${optional ? "?" : ""}: ${written(plain, inner, depth + 1)}${nullable ? " | null" : ""};`);
  }
  return lines.length === 0 ? "{}" : `{\n${lines.map((line) => inner + line).join("\n")}\n${indent}}`;
}

/** Names that a file imports from outside of the SDK. @param {ts.SourceFile} file */
function outside(file) {
  return file.statements.filter(ts.isImportDeclaration).flatMap((statement) => {
    const from = /** @type {ts.StringLiteral} */ (statement.moduleSpecifier).text;
    const names = statement.importClause?.namedBindings;
    if (!/^\.\.\/\.\.\/protocol\//.test(from) || !names || !ts.isNamedImports(names)) return [];
    return names.elements.map((element) => element.name).filter((name) => name.text !== "limits");
  });
}

/** @param {string} name @param {ts.Symbol} symbol */
function declared(name, symbol) {
  const aliased = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const comment = ts.displayPartsToString(aliased.getDocumentationComment(checker));
  const about = comment === "" ? "" : `/** ${comment.replaceAll("\n", " ")} */\n`;
  return `${about}export type ${name} = ${written(checker.getDeclaredTypeOfSymbol(aliased))};\n`;
}

/** @type {Map<string, string>} */
const types = new Map();
/** @param {ts.SourceFile} file */
const exportsOf = (file) => checker.getExportsOfModule(/** @type {ts.Symbol} */ (checker.getSymbolAtLocation(file)));
const exported = new Set(exportsOf(source("index.ts")).map(({ name }) => name));
for (const symbol of exportsOf(source("index.ts"))) {
  const { declarations = [] } = checker.getAliasedSymbol(symbol);
  const own = declarations.some((declaration) => declaration.getSourceFile().fileName.includes("/client/sdk/"));
  if (!own || expanded.includes(symbol.name)) types.set(symbol.name, declared(symbol.name, symbol));
}
for (const name of copied.flatMap((file) => outside(source(file)))) {
  const symbol = /** @type {ts.Symbol} */ (checker.getSymbolAtLocation(name));
  if (!types.has(name.text)) types.set(name.text, declared(name.text, symbol));
}

/** @param {string} name */
function declarationOf(name) {
  let text = "";
  program.emit(source(name), (_path, content) => (text = content), undefined, true);
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.ES2023, true);
  return file.statements
    .filter((statement) => !ts.isImportDeclaration(statement) && !isLeftOut(statement))
    .map((statement) => statement.getFullText(file))
    .join("");
}

/** What is written out already, or is the SDK's inside. @param {ts.Statement} statement */
function isLeftOut(statement) {
  if (ts.isTypeAliasDeclaration(statement)) return [...expanded, "Registry"].includes(statement.name.text);
  if (ts.isClassDeclaration(statement)) return statement.name?.text === "Backoff";
  return (
    !ts.isInterfaceDeclaration(statement) &&
    !(ts.isFunctionDeclaration(statement) && statement.name?.text === "connect")
  );
}

/** Classes whose objects people are given, and do not make: only their types are exported. */
const made = ["Job", "Grid", "SubmittedJob"];
const own = copied
  .map(declarationOf)
  .join("\n")
  .replaceAll(new RegExp(`^export (declare class (?:${made.join("|")})\\b)`, "gm"), "$1");
const used = [...types].filter(([name]) => exported.has(name) || new RegExp(`\\b${name}\\b`).test(own));
mkdirSync(folder, { recursive: true });
writeFileSync(
  join(folder, "queztl-sdk.d.mts"),
  [
    `// Types of the Queztl SDK ${version}; lies beside queztl-sdk.mjs.`,
    ...used.map(([, text]) => text),
    own,
    `export type { ${made.join(", ")} };`,
    "",
  ].join("\n"),
);
