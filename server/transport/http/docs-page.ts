/** The API for people: one page made from the OpenAPI document. No script, nothing from elsewhere. */

import type { OpenApiDocument, OpenApiOperation } from "./openapi.ts";
import { problemTable } from "./problems.ts";

const escapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character]!);
/** Text with `code` in backquotes. */
const prose = (text: string): string => escaped(text).replace(/`([^`]+)`/g, "<code>$1</code>");
const pretty = (value: unknown): string => `<pre>${escaped(JSON.stringify(value, null, 2))}</pre>`;
const section = (title: string, body: string): string => `<details><summary>${title}</summary>${body}</details>`;

export const docsCss = `
:root { color-scheme: light dark; --edge: color-mix(in srgb, currentColor 25%, transparent) }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
article { border: 1px solid var(--edge); border-radius: .5rem; padding: .5rem 1rem; margin: 1rem 0 }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem } h3 { font-size: 1rem; margin: .5rem 0 }
code, pre { font: .875rem/1.4 ui-monospace, monospace } pre { overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; padding: .75rem; border: 1px solid var(--edge) }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .25rem .5rem; border-top: 1px solid var(--edge) }
.method { font-weight: 700; text-transform: uppercase } summary { cursor: pointer } :target { outline: 2px solid }
`;

/** `curl` is a command that works as it stands; undefined when there is no workload. */
export function docsPage(document: OpenApiDocument, curl: string | undefined): string {
  const tags = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "Other";
      tags.set(tag, [...(tags.get(tag) ?? []), operationHtml(method, path, operation)]);
    }
  }
  const operations = [...tags].map(([tag, items]) => `<h2>${escaped(tag)}</h2>${items.join("")}`).join("");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escaped(document.info.title)} API</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/api/style.css"></head><body>
<h1>${escaped(document.info.title)} API</h1><p>Version ${escaped(document.info.version)}. ${prose(document.info.description ?? "")}
For programs: <a href="/api/v1.2/openapi.json">openapi.json</a> (OpenAPI ${escaped(document.openapi)}).</p>
${curl === undefined ? "" : `<h2>Try it</h2><pre>${escaped(curl)}</pre>`}
${operations}<h2>Problems</h2><table><tr><th>Code</th><th>Status</th><th>Meaning</th></tr>${problemRows()}</table>
<h2>Schemas</h2>${schemas(document)}</body></html>`;
}

function operationHtml(method: string, path: string, operation: OpenApiOperation): string {
  const scope = operation.security?.[0]?.bearer?.[0];
  const id = `${method}-${path.replace(/[^a-z0-9]+/gi, "-")}`;
  return `<article id="${escaped(id)}"><h3><span class="method">${method}</span> <code>${escaped(path)}</code></h3>
<p>${prose(operation.summary ?? "")}. ${prose(operation.description ?? "")}${scope === undefined ? "" : ` Needs the scope <code>${escaped(scope)}</code>.`}</p>
${parameters(operation)}${body(operation)}${answers(operation)}</article>`;
}

function parameters({ parameters = [] }: OpenApiOperation): string {
  if (parameters.length === 0) return "";
  const rows = parameters.map(
    (parameter) =>
      `<tr><td><code>${escaped(parameter.name)}</code></td><td>${escaped(parameter.in)}</td><td><code>${escaped(
        JSON.stringify(parameter.schema ?? {}),
      )}</code> ${prose(parameter.description ?? "")}</td></tr>`,
  );
  return `<table><tr><th>Parameter</th><th>In</th><th></th></tr>${rows.join("")}</table>`;
}

function body({ requestBody }: OpenApiOperation): string {
  const parts = Object.entries(requestBody?.content ?? {});
  return parts.map(([type, { schema }]) => section(`Body, <code>${escaped(type)}</code>`, schemaHtml(schema))).join("");
}

function answers({ responses }: OpenApiOperation): string {
  return Object.entries(responses)
    .map(([status, { description, content = {} }]) => {
      const schemas = Object.entries(content).map(
        ([type, { schema }]) => `<p><code>${escaped(type)}</code></p>${schemaHtml(schema)}`,
      );
      return section(`<b>${escaped(status)}</b> ${prose(description)}`, schemas.join(""));
    })
    .join("");
}

/** A named schema as a link, another as it is. */
function schemaHtml(schema: unknown): string {
  const reference = (schema as { $ref?: unknown } | undefined)?.$ref;
  if (typeof reference !== "string") return pretty(schema);
  const name = reference.split("/").at(-1)!;
  return `<p><a href="#schema-${escaped(name)}">${escaped(name)}</a></p>`;
}

const problemRows = (): string =>
  Object.entries(problemTable)
    .map(
      ([code, [status, title]]) =>
        `<tr id="problem-${code}"><td><code>${code}</code></td><td>${status}</td><td>${escaped(title)}</td></tr>`,
    )
    .join("");

const schemas = (document: OpenApiDocument): string =>
  Object.entries(document.components?.schemas ?? {})
    .map(
      ([name, schema]) =>
        `<div id="schema-${escaped(name)}">${section(`<code>${escaped(name)}</code>`, pretty(schema))}</div>`,
    )
    .join("");
