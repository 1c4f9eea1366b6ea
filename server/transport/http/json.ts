/** JSON bodies: bytes to value, with refusals that say where the fault is. */
import { HttpProblem } from "./problems.ts";

/** Containers within containers. The JSON of every workload stays far below. */
export const jsonDepthMax = 64;

/** Throws HttpProblem("malformed_json") naming line and column; ("invalid_body") for what no schema could take. */
export function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new HttpProblem("malformed_json", "The body is not UTF-8.", { field: "body", remedy: "Send JSON in UTF-8." });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw malformed(text, error);
  }
  inspect(value);
  return value;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function malformed(text: string, error: unknown): HttpProblem {
  const remedy = "Send one JSON object; strings and keys in double quotes, no trailing comma.";
  if (text.trim() === "") return new HttpProblem("malformed_json", "The body is empty.", { field: "body", remedy });
  return new HttpProblem("malformed_json", error instanceof SyntaxError ? place(text) : "The body cannot be read.", {
    field: "body",
    remedy,
  });
}

function place(text: string): string {
  const at = jsonErrorAt(text);
  if (at === null) return "The fault lies far into the body.";
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  const column = at - before.lastIndexOf("\n");
  const what = at >= text.length ? "the body ends too early" : `unexpected ${JSON.stringify(text.slice(at, at + 12))}`;
  return `Line ${line}, column ${column} (character ${at}): ${what}.`;
}

/** Refuses depth that recursion elsewhere would stumble over, and the one key that assignment treats as magic. */
function inspect(root: unknown): void {
  if (typeof root !== "object" || root === null) return;
  let level: object[] = [root];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > jsonDepthMax) {
      throw new HttpProblem("invalid_body", `The body nests deeper than ${jsonDepthMax} levels.`, {
        field: "body",
        remedy: "Send a flatter payload.",
      });
    }
    const next: object[] = [];
    for (const container of level) {
      if (Object.hasOwn(container, "__proto__")) {
        throw new HttpProblem("invalid_body", 'The key "__proto__" is not allowed.', {
          field: "body",
          remedy: "Remove or rename the key.",
        });
      }
      for (const value of Array.isArray(container) ? container : Object.values(container)) {
        if (typeof value === "object" && value !== null) next.push(value);
      }
    }
    level = next;
  }
}

/** Tokens looked at in search of a fault; 2^20 take about 0.1 s. */
const tokensMax = 1 << 20;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const escapeSequence = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/**
 * Index of the first character at which `text` stops being JSON, or null when it lies beyond a million
 * tokens. V8's own messages name it for some faults only. Walks the grammar with a stack of open
 * containers and the kinds of token that may come next.
 */
export function jsonErrorAt(text: string): number | null {
  const open: string[] = [];
  let expect = "value";
  let at = 0;
  for (let tokens = 0; tokens < tokensMax; tokens++) {
    while (at < text.length && " \t\n\r".includes(text[at]!)) at++;
    if (at >= text.length) return at;
    const first = text[at]!;
    let end = at + 1;
    let kind = first;
    if (first === '"') {
      const fault = stringFault(text, at);
      if (expect.startsWith("value") || expect.startsWith("key")) if (!fault.closed) return fault.at;
      end = fault.at;
      kind = "string";
    } else if (!"{}[],:".includes(first)) {
      scalar.lastIndex = at;
      if (!scalar.test(text)) return at;
      end = scalar.lastIndex;
      kind = "scalar";
    }
    const next = follow(open, expect, kind);
    if (next === null) return at;
    expect = next;
    at = end;
  }
  return null;
}

/** End of the string that begins at `at`, or where it goes wrong. */
function stringFault(text: string, at: number): { closed: boolean; at: number } {
  let index = at + 1;
  while (index < text.length) {
    const code = text.charCodeAt(index);
    if (code === 0x22) return { closed: true, at: index + 1 };
    if (code < 0x20) return { closed: false, at: index };
    if (code === 0x5c) {
      escapeSequence.lastIndex = index;
      if (!escapeSequence.test(text)) return { closed: false, at: index };
      index = escapeSequence.lastIndex;
    } else index++;
  }
  return { closed: false, at: index };
}

/** What may follow the token, or null when the token may not stand here. Changes `open`. */
function follow(open: string[], expect: string, kind: string): string | null {
  const after = (): string => (open.length === 0 ? "end" : "comma or close");
  if (kind === "{" || kind === "[") {
    if (!expect.startsWith("value")) return null;
    open.push(kind);
    return kind === "{" ? "key or close" : "value or close";
  }
  if (kind === "}" || kind === "]") {
    if (!expect.endsWith("close") || open.at(-1) !== (kind === "}" ? "{" : "[")) return null;
    open.pop();
    return after();
  }
  if (kind === ",") return expect === "comma or close" ? (open.at(-1) === "{" ? "key" : "value") : null;
  if (kind === ":") return expect === "colon" ? "value" : null;
  if (expect.startsWith("key")) return kind === "string" ? "colon" : null;
  return expect.startsWith("value") ? after() : null;
}
