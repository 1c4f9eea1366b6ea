/**
 * Turns the JSON Schema of a payload into form fields. What a form cannot express well (arrays, open
 * maps, untyped values) becomes a JSON field, so that every payload can be written in the form.
 */

type Json = Record<string, unknown>;

interface Common {
  /** Keys from the payload's root. */
  path: readonly string[];
  label: string;
  help: string;
  required: boolean;
  default: unknown;
}

export type Field = Common &
  (
    | { kind: "number"; integer: boolean; min: number | null; max: number | null }
    | { kind: "text"; maxLength: number | null; pattern: string | null }
    | { kind: "switch" }
    | { kind: "choice"; options: readonly unknown[] }
    | { kind: "group"; fields: readonly Field[] }
    | { kind: "variants"; variants: readonly Variant[] }
    | { kind: "json" }
  );

/** How payloads' schemas write the name of an upload. */
export const blobPattern = "^[0-9a-f]{64}$";

/** One of several shapes that a value may have. `fixed` are the constants that tell it apart. */
export interface Variant {
  label: string;
  fixed: Readonly<Record<string, unknown>>;
  fields: readonly Field[];
}

const depthMax = 6;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const numberOr = (value: unknown, otherwise: number | null): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : otherwise;

/** "risk_free_rate" -> "Risk free rate". */
const caption = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

/** The fields of a payload; a schema that is not an object's becomes one JSON field. */
export function fieldsOf(schema: unknown): Field[] {
  const root = isObject(schema) ? schema : {};
  const field = toField(root, root, [], true, 0);
  if (field.kind === "group") return [...field.fields];
  return [field];
}

function toField(schema: Json, root: Json, path: readonly string[], required: boolean, depth: number): Field {
  const node = resolve(schema, root);
  const name = path.at(-1) ?? "payload";
  const common: Common = {
    path,
    label: typeof node.title === "string" ? node.title : caption(name),
    help: typeof node.description === "string" ? node.description : "",
    required: required && node.default === undefined,
    default: node.default,
  };
  if (depth > depthMax) return { ...common, kind: "json" };
  if (node.const !== undefined) return { ...common, kind: "choice", options: [node.const] };
  if (Array.isArray(node.enum)) return { ...common, kind: "choice", options: node.enum };
  const several = node.anyOf ?? node.oneOf;
  if (Array.isArray(several)) return union(several.filter(isObject), root, common, depth);
  return single(node, root, common, depth);
}

/** The one type that a node names beside "null". */
function typeOf(node: Json): unknown {
  if (!Array.isArray(node.type)) return node.type;
  const types = node.type.filter((type) => type !== "null");
  return types.length === 1 ? types[0] : undefined;
}

function single(node: Json, root: Json, common: Common, depth: number): Field {
  switch (typeOf(node)) {
    case "integer":
    case "number": {
      const integer = typeOf(node) === "integer";
      const step = integer ? 1 : 0;
      const low = numberOr(node.exclusiveMinimum, null);
      const high = numberOr(node.exclusiveMaximum, null);
      return {
        ...common,
        kind: "number",
        integer,
        min: numberOr(node.minimum, low === null ? null : low + step),
        max: numberOr(node.maximum, high === null ? null : high - step),
      };
    }
    case "string":
      return {
        ...common,
        kind: "text",
        maxLength: numberOr(node.maxLength, null),
        pattern: typeof node.pattern === "string" ? node.pattern : null,
      };
    case "boolean":
      return { ...common, kind: "switch" };
    case "object":
      return isObject(node.properties)
        ? { ...common, kind: "group", fields: properties(node, root, common.path, depth) }
        : { ...common, kind: "json" };
    default:
      return { ...common, kind: "json" };
  }
}

function properties(node: Json, root: Json, path: readonly string[], depth: number): Field[] {
  const required = Array.isArray(node.required) ? node.required : [];
  const entries = Object.entries(isObject(node.properties) ? node.properties : {});
  return entries
    .filter((entry): entry is [string, Json] => isObject(entry[1]))
    .map(([key, value]) => toField(value, root, [...path, key], required.includes(key), depth + 1));
}

function union(options: Json[], root: Json, common: Common, depth: number): Field {
  const nodes = options.map((option) => resolve(option, root)).filter((node) => node.type !== "null");
  if (nodes.length === 1) return { ...toField(nodes[0]!, root, common.path, false, depth + 1), ...common };
  const constants = nodes.map((node) => node.const);
  if (constants.every((value) => value !== undefined)) return { ...common, kind: "choice", options: constants };
  if (!nodes.every((node) => node.type === "object" && isObject(node.properties))) return { ...common, kind: "json" };
  return {
    ...common,
    kind: "variants",
    variants: nodes.map((node, at) => toVariant(node, root, common.path, depth, at)),
  };
}

function toVariant(node: Json, root: Json, path: readonly string[], depth: number, at: number): Variant {
  const fixed: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node.properties as Json)) {
    if (isObject(value) && value.const !== undefined) fixed[key] = value.const;
  }
  const names = Object.values(fixed).map(String).join(", ");
  // Else it is told by what it must have.
  const needed = Array.isArray(node.required) ? node.required.map(String).join(", ") : "";
  const label = typeof node.title === "string" ? node.title : names || needed || `shape ${at + 1}`;
  const fields = properties(node, root, path, depth).filter((field) => !(field.path.at(-1)! in fixed));
  return { label: label.replaceAll("_", " "), fixed, fields };
}

/** Follows local `$ref`s and merges a one-item `allOf`. */
function resolve(schema: Json, root: Json): Json {
  let node = schema;
  for (let hops = 0; hops < 16; hops++) {
    if (typeof node.$ref === "string" && node.$ref.startsWith("#")) {
      const { $ref, ...beside } = node;
      const target = pointer(root, $ref as string);
      if (!isObject(target)) return beside;
      node = { ...target, ...beside };
    } else if (Array.isArray(node.allOf) && node.allOf.length === 1 && isObject(node.allOf[0])) {
      const { allOf, ...beside } = node;
      node = { ...(allOf as Json[])[0]!, ...beside };
    } else return node;
  }
  return node;
}

function pointer(root: Json, ref: string): unknown {
  let value: unknown = root;
  for (const part of ref.slice(1).split("/").filter(Boolean)) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    value = isObject(value) ? value[key] : undefined;
  }
  return value;
}

/** Which variant a value has: the one whose constants it holds, else the one that knows most of its keys. */
export function variantOf(variants: readonly Variant[], value: unknown): number {
  const object = isObject(value) ? value : {};
  let best = 0;
  let bestScore = Number.NEGATIVE_INFINITY;
  variants.forEach((variant, at) => {
    let score = 0;
    for (const [key, fixed] of Object.entries(variant.fixed)) {
      if (object[key] === fixed) score += 100;
      else score -= object[key] === undefined ? 1 : 100;
    }
    for (const field of variant.fields) if (field.path.at(-1)! in object) score += 1;
    if (score > bestScore) {
      best = at;
      bestScore = score;
    }
  });
  return best;
}

export function readPath(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const key of path) at = isObject(at) ? at[key] : undefined;
  return at;
}

/** A copy with `next` at the path; `undefined` removes the key. */
export function writePath(value: unknown, path: readonly string[], next: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return next;
  const copy: Json = isObject(value) ? { ...value } : {};
  const inner = writePath(copy[key], rest, next);
  if (inner === undefined) delete copy[key];
  else copy[key] = inner;
  return copy;
}

/** A value moved to another variant: keys that it knows are kept, its constants are set. */
export function switchVariant(variant: Variant, value: unknown): unknown {
  const object = isObject(value) ? value : {};
  const kept: Json = { ...variant.fixed };
  for (const field of variant.fields) {
    const key = field.path.at(-1)!;
    if (object[key] !== undefined) kept[key] = object[key];
  }
  return kept;
}

/** "payload.model.spot", "/payload/model/spot", "model.spot" -> "model.spot". */
export function fieldKey(name: string): string {
  const parts = name.replaceAll("[", ".").replaceAll("]", "").split(/[./]/).filter(Boolean);
  if (parts[0] === "body") parts.shift();
  if (parts[0] === "payload") parts.shift();
  return parts.join(".");
}
