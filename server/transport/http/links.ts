/** Two devices of one person: an identity goes from one to the other, sealed under a code that only they know. */
import { linkBodySchema, linkMadeSchema, linkSealedSchema, linkTakeSchema } from "../../../protocol/rest.ts";
import { json } from "./api.ts";
import type { RouteDeps } from "./deps.ts";
import { HttpProblem, retryAfter } from "./problems.ts";

export function linkRoutes({ api, access }: RouteDeps): void {
  api.route(
    {
      method: "post",
      path: "/api/v1.2/identity-links",
      tag: "Grid",
      summary: "Leave a sealed identity for another device of the same person",
      description:
        "Kept for five minutes, in memory only, and handed out once. Both `name` and the key of `sealed` come from a " +
        "code that the coordinator never sees (docs/protocol.md).",
      body: linkBodySchema,
      bodyBytesMax: 2048,
      answers: { 201: { description: "It lies there.", schema: linkMadeSchema } },
      problems: ["invalid_body", "not_json", "overloaded", "rate_limited"],
    },
    async ({ c, body, facts }) => {
      access.limitLinks(facts);
      const { value } = await body();
      const endMs = access.links.put(value.name, value.sealed);
      if (endMs === null) {
        const remedy = "Make another code, or try again in a minute.";
        throw new HttpProblem("overloaded", "There is no room for another code now.", { remedy }, retryAfter(60));
      }
      return json(c, 201, { expires_at: new Date(endMs).toISOString() });
    },
  );
  api.route(
    {
      method: "post",
      path: "/api/v1.2/identity-links/take",
      tag: "Grid",
      summary: "Take a sealed identity, once",
      body: linkTakeSchema,
      bodyBytesMax: 1024,
      answers: { 200: { description: "What was left there.", schema: linkSealedSchema } },
      problems: ["invalid_body", "not_json", "no_such_link", "rate_limited"],
    },
    async ({ c, body, facts }) => {
      access.limitLinks(facts);
      const { value } = await body();
      const sealed = access.links.take(value.name);
      if (sealed === null) {
        const remedy = "Type the code as it stands on the other device, or make a new one there.";
        throw new HttpProblem("no_such_link", "This code is wrong, was used, or is older than five minutes.", {
          remedy,
        });
      }
      return json(c, 200, { sealed });
    },
  );
}
