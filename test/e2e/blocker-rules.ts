/**
 * The part of the filter syntax of ad-blockers that generic rules use: substrings, `*`, `^` (a separator or the end), `|`
 * and `||` anchors, `!` comments. Options after `$` are ignored, so a rule matches here wherever it could match at all.
 * Source: https://help.adblockplus.org/hc/en-us/articles/360062733293
 */
export interface BlockerRule {
  text: string;
  pattern: RegExp;
}

export function parseRules(text: string): BlockerRule[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("!") && !line.startsWith("["))
    .map((line) => ({ text: line, pattern: patternOf(line.replace(/\$[\w,=~|.-]+$/, "")) }));
}

function patternOf(rule: string): RegExp {
  const domain = rule.startsWith("||");
  const start = !domain && rule.startsWith("|");
  const end = rule.endsWith("|");
  const body = rule
    .slice(domain ? 2 : start ? 1 : 0, end ? -1 : undefined)
    .replace(/[.+?{}()[\]\\/]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("^", "(?:[^\\w.%-]|$)");
  const before = domain ? "^[a-z]+://(?:[^/]*\\.)?" : start ? "^" : "";
  return new RegExp(`${before}${body}${end ? "$" : ""}`, "i");
}

/** Rules that block a URL, each with the URL. */
export const blocked = (rules: readonly BlockerRule[], urls: Iterable<string>): string[] =>
  [...urls].flatMap((url) => rules.filter(({ pattern }) => pattern.test(url)).map(({ text }) => `${url} by ${text}`));
