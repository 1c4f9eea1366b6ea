/** API keys, and the operator's browser session. */
import {
  keyBodySchema,
  keyCreatedSchema,
  keyListSchema,
  keyViewSchema,
  type Session,
  sessionBodySchema,
  sessionSchema,
} from "../../../protocol/rest.ts";
import type { Caller } from "../../access/caller.ts";
import { AccessError } from "../../access/caller.ts";
import { keysMax } from "../../access/keyring.ts";
import { readCookie, sessionCookie, sessionMsMax } from "../../access/sessions.ts";
import { json } from "./api.ts";
import type { RouteDeps } from "./deps.ts";
import { apiHeaders } from "./headers.ts";
import { HttpProblem } from "./problems.ts";
import { regionNamed } from "./terms.ts";

const operatorProblems = ["unauthenticated", "forbidden", "cross_site", "too_many_failures", "rate_limited"] as const;
const bodyProblems = [
  "malformed_json",
  "incomplete_body",
  "slow_body",
  "body_too_large",
  "not_json",
  "invalid_body",
] as const;

export function keyRoutes({ api, access }: RouteDeps): void {
  api.route(
    {
      method: "post",
      path: "/api/v1.2/keys",
      tag: "Access",
      summary: "Create an API key",
      description:
        "The answer is the only place where the key itself is shown. Only the operator grants `admin` and `scale`.",
      scope: "admin",
      body: keyBodySchema,
      answers: { 201: { description: "The key.", schema: keyCreatedSchema } },
      problems: [...operatorProblems, ...bodyProblems, "too_many_keys", "storage_unavailable"],
    },
    async ({ c, facts, body }) => {
      const caller = await access.require(facts, "admin");
      const { value } = await body();
      const beyond = value.scopes.find(
        (scope) => caller.kind !== "operator" && (scope === "admin" || scope === "scale"),
      );
      if (beyond !== undefined) {
        throw new AccessError("forbidden", `A key cannot grant the scope "${beyond}".`, {
          field: "scopes",
          remedy: "Use the operator's token.",
        });
      }
      if (value.supply === "paid" && !caller.scopes.includes("scale")) {
        throw new AccessError("forbidden", "A key cannot give what costs money.", {
          field: "supply",
          remedy: "Use the operator's token.",
        });
      }
      const region = regionNamed(value.region);
      if (access.keyring.size >= keysMax) {
        throw new HttpProblem("too_many_keys", `There are ${keysMax} keys already.`, {
          remedy: "Use an existing one.",
        });
      }
      const { key, view } = await access.keyring.create(value.label, value.scopes, {
        supply: value.supply ?? null,
        region,
      });
      return json(c, 201, { ...view, key });
    },
  );
  api.route(
    {
      method: "get",
      path: "/api/v1.2/keys",
      tag: "Access",
      summary: "List API keys",
      scope: "admin",
      answers: { 200: { description: "All keys, revoked ones included; never the secrets.", schema: keyListSchema } },
      problems: operatorProblems,
    },
    async ({ c, facts }) => {
      await access.require(facts, "admin");
      return json(c, 200, { keys: access.keyring.list() });
    },
  );
  api.route(
    {
      method: "delete",
      path: "/api/v1.2/keys/{key_id}",
      tag: "Access",
      summary: "Revoke an API key",
      description: "It is refused at once; its jobs go on.",
      scope: "admin",
      answers: { 200: { description: "The revoked key.", schema: keyViewSchema } },
      problems: [...operatorProblems, "no_such_key", "storage_unavailable"],
    },
    async ({ c, facts }) => {
      await access.require(facts, "admin");
      const id = c.req.param("key_id") ?? "";
      const view = await access.keyring.revoke(id);
      if (view !== null) return json(c, 200, view);
      const remedy = "Use a key_id of GET /api/v1.2/keys.";
      throw new HttpProblem("no_such_key", `There is no key "${id.slice(0, 64)}".`, { field: "key_id", remedy });
    },
  );
}

export function sessionRoutes({ api, access, publicUrl }: RouteDeps, tls: boolean): void {
  const secure = tls || publicUrl?.protocol === "https:" ? "; Secure" : "";
  const cookie = (value: string, seconds: number): string =>
    `${sessionCookie}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure}`;
  const path = "/api/v1.2/session";
  api.route(
    {
      method: "post",
      path,
      tag: "Access",
      summary: "Exchange the operator's token for a session cookie",
      description:
        "For browsers. The token goes in the body, never in an address; the cookie is out of scripts' reach.",
      body: sessionBodySchema,
      answers: { 201: { description: "The session; the cookie is in Set-Cookie.", schema: sessionSchema } },
      problems: ["cross_site", "unauthenticated", "too_many_failures", "rate_limited", ...bodyProblems],
    },
    async ({ c, facts, body }) => {
      const { value } = await body();
      const session = access.beginSession(facts, value.token);
      const headers = { "set-cookie": cookie(session.cookie, sessionMsMax / 1000) };
      return json(c, 201, sessionView(access.operatorUntil(session.expiresAtMs)), headers);
    },
  );
  api.route(
    {
      method: "get",
      path,
      tag: "Access",
      summary: "Who the caller is to the coordinator",
      answers: { 200: { description: "The caller.", schema: sessionSchema } },
      problems: ["unauthenticated", "cross_site", "too_many_failures", "rate_limited"],
    },
    async ({ c, facts }) => json(c, 200, sessionView(await access.caller(facts))),
  );
  api.route(
    {
      method: "delete",
      path,
      tag: "Access",
      summary: "End the session",
      answers: { 204: { description: "It has ended." } },
      problems: ["cross_site", "rate_limited"],
    },
    ({ c, facts }) => {
      access.endSession(facts, readCookie(facts.header("cookie"), sessionCookie));
      return c.body(null, 204, { ...apiHeaders, "set-cookie": cookie("", 0) });
    },
  );
}

const sessionView = (caller: Caller): Session => ({
  kind: caller.kind,
  id: caller.id,
  scopes: [...caller.scopes],
  expires_at: caller.expiresAtMs === null ? null : new Date(caller.expiresAtMs).toISOString(),
});
