/** A payload's JSON Schema as fields of a command line: their names, kinds and words, and their values from text. */
import { UsageError } from "./exits.ts";
import { type FieldText, nearest } from "./flags.ts";

type Json = Record<string, unknown>;

/** Kinds of JSON values that a field may have. */
type Kind = "integer" | "number" | "string" | "boolean" | "array" | "object" | "null" | "any";

export interface Field {
  /** Dotted path, as `coinbase.prefix`. */
  name: string;
  kinds: readonly Kind[];
  /** Values of an enumeration; null where others are possible. */
  options: readonly unknown[] | null;
  required: boolean;
  help: string;
}

/** Groups within groups that are unfolded; what lies deeper is given as JSON. */
const depthMax = 4;
const fieldsMax = 500;

/** All fields, a group before the fields within it. */
export function fieldsOf(schema: unknown): Field[] {
  const root = isObject(schema) ? schema : {};
  const found = new Map<string, Field>();
  collect(root, root, "", 0, found);
  return [...found.values()];
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function collect(node: Json, root: Json, prefix: string, depth: number, found: Map<string, Field>): void {
  for (const shape of shapes(node, root)) {
    const required = Array.isArray(shape.required) ? shape.required : [];
    for (const [key, value] of Object.entries(isObject(shape.properties) ? shape.properties : {})) {
      if (!isObject(value) || found.size >= fieldsMax) continue;
      const name = prefix + key;
      const variants = shapes(value, root);
      const field = fieldOf(name, value, variants, required.includes(key));
      const before = found.get(name);
      found.set(name, before ? either(before, field) : field);
      if (depth < depthMax && field.kinds.includes("object")) collect(value, root, `${name}.`, depth + 1, found);
    }
  }
}

function fieldOf(name: string, node: Json, variants: readonly Json[], required: boolean): Field {
  const kinds = new Set(variants.flatMap(kindsOf));
  const options = variants.map((variant) => (variant.const !== undefined ? [variant.const] : variant.enum));
  const help = node.description ?? variants.find(({ description }) => description !== undefined)?.description;
  return {
    name,
    kinds: [...kinds],
    options: options.every(Array.isArray) ? options.flat() : null,
    required: required && node.default === undefined,
    help: typeof help === "string" ? help : "",
  };
}

/** A field that several shapes of one object have. */
function either(a: Field, b: Field): Field {
  return {
    name: a.name,
    kinds: [...new Set([...a.kinds, ...b.kinds])],
    options: a.options && b.options && [...new Set([...a.options, ...b.options])],
    required: a.required && b.required,
    help: a.help || b.help,
  };
}

function kindsOf(node: Json): Kind[] {
  if (typeof node.type === "string") return [node.type as Kind];
  if (Array.isArray(node.type)) return node.type as Kind[];
  const values = node.const !== undefined ? [node.const] : Array.isArray(node.enum) ? node.enum : [];
  if (values.length === 0) return [isObject(node.properties) ? "object" : "any"];
  return values.map((value) => (value === null ? "null" : (typeof value as Kind)));
}

/** A node's alternatives, with local references followed. */
function shapes(node: Json, root: Json, hops = 0): Json[] {
  if (hops > 16) return [];
  if (typeof node.$ref === "string") {
    const target = pointer(root, node.$ref);
    return isObject(target) ? shapes(target, root, hops + 1) : [{}];
  }
  for (const several of [node.anyOf, node.oneOf, node.allOf]) {
    if (Array.isArray(several)) return several.filter(isObject).flatMap((one) => shapes(one, root, hops + 1));
  }
  return [node];
}

function pointer(root: Json, ref: string): unknown {
  let at: unknown = root;
  for (const part of ref.replace(/^#/, "").split("/").filter(Boolean)) {
    at = isObject(at) ? at[part.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined;
  }
  return at;
}

/** Puts fields, as they were written, into a payload. Throws UsageError that names the field and what it takes. */
export function withFields(payload: unknown, texts: readonly FieldText[], fields: readonly Field[]): unknown {
  if (texts.length === 0) return payload;
  if (!isObject(payload)) {
    throw new UsageError("payload", "Fields need a payload that is an object.", "Give the whole payload as JSON.");
  }
  const result = structuredClone(payload);
  const seen = new Set<string>();
  for (const { name: written, text } of texts) {
    const field = find(written, fields);
    const value = fieldValue(field, text);
    const repeats = seen.has(field.name);
    if (repeats && !field.kinds.includes("array")) {
      throw new UsageError(`--${written}`, `--${written} is given twice.`, "Leave one out.");
    }
    seen.add(field.name);
    put(result, field, value, repeats);
  }
  return result;
}

function find(written: string, fields: readonly Field[]): Field {
  const plain = written.replaceAll("-", "_");
  const field = fields.find(({ name }) => name === written || name === plain);
  if (field) return field;
  const names = fields.map(({ name }) => name);
  const near = nearest(plain, names);
  const remedy =
    near !== null ? `Did you mean --${near}?` : `There are ${names.map((name) => `--${name}`).join(", ")}.`;
  throw new UsageError(`--${written}`, `The payload has no field "${written}".`, remedy);
}

function put(payload: Json, field: Field, value: unknown, repeats: boolean): void {
  const keys = field.name.split(".");
  const last = keys.pop()!;
  let at = payload;
  for (const key of keys) {
    const inner = Object.hasOwn(at, key) && isObject(at[key]) ? at[key] : {};
    at[key] = inner;
    at = inner;
  }
  const before = at[last];
  if (repeats && Array.isArray(before)) at[last] = [...before, ...(Array.isArray(value) ? value : [value])];
  else at[last] = value;
}

/** `null` is a field without text, as a switch is written. Throws UsageError. */
export function fieldValue(field: Field, text: string | null): unknown {
  const takes = new Set(field.kinds);
  const wrong = (): UsageError =>
    new UsageError(
      `--${field.name}`,
      text === null ? "It has no value." : `"${text}" is none.`,
      `Give ${wanted(field)}.`,
    );
  if (text === null) {
    if (takes.has("boolean") || takes.has("any")) return true;
    throw wrong();
  }
  if (field.options !== null) {
    const option = field.options.find((candidate) => String(candidate) === text);
    if (option === undefined) throw wrong();
    return option;
  }
  const value =
    asNumber(text, takes) ?? asJson(text, takes) ?? (takes.has("string") || takes.has("any") ? text : undefined);
  if (value !== undefined) return value;
  // Elements of a list may be given one by one.
  if (takes.has("array")) return [text];
  throw wrong();
}

function asNumber(text: string, takes: ReadonlySet<Kind>): number | undefined {
  if (!takes.has("number") && !takes.has("integer")) return undefined;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) return undefined;
  // A whole number that a double cannot hold stays what it was, where a text is taken as well.
  if (takes.has("string") && /^\d+$/.test(text) && !Number.isSafeInteger(value)) return undefined;
  if (!takes.has("number") && !Number.isInteger(value)) return undefined;
  return value;
}

function asJson(text: string, takes: ReadonlySet<Kind>): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const kind = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  if (takes.has("any")) return value;
  return kind !== "string" && kind !== "number" && takes.has(kind as Kind) ? value : undefined;
}

const kindNames: Record<Kind, string> = {
  integer: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  array: "a JSON array",
  object: "a JSON object",
  null: "null",
  any: "any JSON",
};

/** What a field takes, in words. */
export function wanted({ options, kinds }: Field): string {
  if (options !== null) return options.map(String).join(" or ");
  const names = kinds.filter((kind) => kind !== "integer" || !kinds.includes("number")).map((kind) => kindNames[kind]);
  return names.join(" or ");
}
