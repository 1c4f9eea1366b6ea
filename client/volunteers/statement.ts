/** What this browser's identity says of itself, signed by its key: see docs/credit.md. */
import type { IdentityPort } from "../../agent/ports.ts";
import type { StatementBody, VolunteerPage } from "../../protocol/ledger.ts";
import { hex } from "../donate/identity-file.ts";
import { callApi } from "../shared/api.ts";

export type Saying = { action: "profile"; team: string | null; submitter: string | null } | { action: "erase" };

/** The body of the call; `now` in milliseconds since 1970. */
export async function signStatement(
  identity: IdentityPort,
  volunteer: string,
  saying: Saying,
  now: number,
): Promise<StatementBody> {
  const statement = JSON.stringify({ ...saying, volunteer, issued_at: new Date(now).toISOString() });
  const signature = await identity.sign(new TextEncoder().encode(`queztl.volunteer.v1\n${statement}`));
  return { statement, public_key: hex(identity.publicKey), signature: hex(signature) };
}

/** Rejects with `ApiError` where the coordinator does not take it. `key` is a submitter's, where one is named. */
export async function say(
  identity: IdentityPort,
  volunteer: string,
  saying: Saying,
  key: string | null = null,
): Promise<VolunteerPage> {
  const body = await signStatement(identity, volunteer, saying, Date.now());
  const headers = key === null ? undefined : { Authorization: `Bearer ${key}` };
  return callApi<VolunteerPage>(`/volunteers/${volunteer}/statement`, { method: "POST", body, headers });
}
