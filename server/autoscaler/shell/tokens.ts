/**
 * Tokens by which instances join: `qi.<order>.<code>`, the code being an HMAC of the order, so that none is kept. An
 * instance that knows its own id in the cloud adds it: `qi.<order>.<code>:<id>`.
 */
import { timingSafeEqual } from "node:crypto";

type Mac = (text: string) => string;

const codeLength = 22;
const idLengthMax = 100;

const codeOf = (mac: Mac, order: string): string => mac(`instance\n${order}`).slice(0, codeLength);

export const joinTokenOf = (mac: Mac, order: string): string => `qi.${order}.${codeOf(mac, order)}`;

/** Which order and machine it speaks for; null where this coordinator did not make it. */
export function readJoinToken(mac: Mac, token: string): { order: string; cloudId: string | null } | null {
  const match = /^qi\.([a-z0-9-]{1,64})\.([A-Za-z0-9_-]{22})(?::(.+))?$/.exec(token);
  if (!match) return null;
  const [, order = "", code = "", cloudId] = match;
  if (!timingSafeEqual(Buffer.from(code), Buffer.from(codeOf(mac, order)))) return null;
  if (cloudId !== undefined && cloudId.length > idLengthMax) return null;
  return { order, cloudId: cloudId ?? null };
}
