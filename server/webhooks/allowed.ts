/**
 * Which addresses webhooks may go to. The coordinator stands inside its operator's network, and submitters need not: it
 * calls hosts that the operator named, and no others.
 */

/** `host` or `host:port`, as it was named; without a port every port of the host. Null where it is no host. */
export function hostPattern(text: string): string | null {
  const url = URL.canParse(`http://${text}`) ? new URL(`http://${text}`) : null;
  return url !== null && url.pathname === "/" && url.search === "" && url.username === "" && url.hash === ""
    ? text.toLowerCase()
    : null;
}

/** Null where it may be called, else what is wrong with it and the remedy. */
export function refusalOf(text: string, allowed: readonly string[]): { why: string; remedy: string } | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  const remedy = "Give an address like https://example.org/hook";
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    return { why: `"${text.slice(0, 200)}" is no http or https address`, remedy };
  }
  if (url.username !== "" || url.password !== "") return { why: "The address holds a password", remedy };
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  if (allowed.includes(url.hostname) || allowed.includes(`${url.hostname}:${port}`)) return null;
  return {
    why: `This coordinator sends no webhooks to ${url.host}`,
    remedy: `Ask its operator to start it with --webhook-host ${url.hostname}, or follow the job's events`,
  };
}
