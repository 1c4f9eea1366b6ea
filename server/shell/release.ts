/**
 * Tokens that prove one session, which they end, and for which they fetch what it computes with: `node.session.code`,
 * where the code is an HMAC over both.
 */
import { timingSafeEqual } from "node:crypto";

type Mac = (text: string) => string;

/** 132 bits of the HMAC, as in tickets. */
const codeLength = 22;
const nodeLength = 16;

const codeOf = (mac: Mac, node: string, session: string): string =>
  mac(`release\n${node}\n${session}`).slice(0, codeLength);

export const releaseToken = (mac: Mac, node: string, session: string): string =>
  `${node}.${session}.${codeOf(mac, node, session)}`;

/** Whose token it is; null where this coordinator did not make it. Sessions may hold any characters, dots too. */
export function sessionOf(mac: Mac, token: string): { node: string; session: string } | null {
  const end = token.length - codeLength - 1;
  if (end <= nodeLength || token[nodeLength] !== "." || token[end] !== ".") return null;
  const node = token.slice(0, nodeLength);
  const session = token.slice(nodeLength + 1, end);
  const given = Buffer.from(token.slice(end + 1));
  const expected = Buffer.from(codeOf(mac, node, session));
  return given.length === expected.length && timingSafeEqual(given, expected) ? { node, session } : null;
}
