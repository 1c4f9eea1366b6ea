/** Volunteers as the HTTP side asks for them: balances as of the last payday, and what identities say of themselves. */
import { createHash, createPublicKey, verify } from "node:crypto";
import {
  type Leaderboard,
  type Postings,
  type StatementBody,
  type TeamView,
  type VolunteerPage,
  type VolunteerStatement,
  type VolunteerView,
  volunteerStatementSchema,
} from "../../protocol/ledger.ts";
import { orRefusal } from "../shell/readable.ts";
import type { LedgerReader, VolunteerRecord } from "../store/ledger.ts";
import type { Write } from "../store/store.ts";
import { GridError } from "../transport/grid.ts";
import type { GridVolunteers } from "../transport/ledger.ts";
import type { Credit } from "./credit.ts";

export interface VolunteersPorts {
  credit: Credit;
  ledger: LedgerReader;
  /** The name that an identity last gave; undefined for one that was never here. */
  nameOf(id: string): string | null | undefined;
  /** The name is gone from memory too. */
  forgetName(id: string): void;
  /** Makes writes durable. Rejects with GridError. */
  written(writes: readonly Write[]): Promise<void>;
  now(): number;
}

/** How far a statement's time may be from ours. */
const freshMs = 10 * 60_000;

export const statementText = (statement: string): string => `queztl.volunteer.v1\n${statement}`;

export class Volunteers implements GridVolunteers {
  constructor(private readonly ports: VolunteersPorts) {}

  async leaderboard(limit: number): Promise<Leaderboard> {
    const views = await this.#ranked();
    return { ...this.#paydays(), volunteers: views.slice(0, limit), teams: teamsOf(views) };
  }

  async volunteer(id: string): Promise<VolunteerPage | null> {
    const ranked = (await this.#ranked()).find(({ volunteer_id }) => volunteer_id === id);
    if (ranked) return { ...ranked, ...this.#paydays() };
    const name = this.ports.nameOf(id);
    if (name === undefined) return null;
    const team = this.ports.credit.volunteer(id)?.team ?? null;
    return { volunteer_id: id, name, team, core_seconds: 0, rank: null, postings: 0, ...this.#paydays() };
  }

  async postings(id: string, limit: number): Promise<Postings | null> {
    const { ledger, credit, now } = this.ports;
    const postings = await orRefusal(ledger.postings(id, credit.lastPayday(now()), limit));
    if (postings.length === 0 && this.ports.nameOf(id) === undefined) return null;
    return {
      volunteer_id: id,
      // What the work was for is not told: it would tell whom its node audited.
      postings: postings.map(({ work, kind, job, coreSeconds, dueMs }) => ({
        work,
        kind,
        task_id: job,
        core_seconds: coreSeconds,
        counted_at: iso(dueMs),
      })),
    };
  }

  async state(id: string, body: StatementBody, caller: string | null): Promise<VolunteerPage> {
    const statement = signedStatement(id, body);
    const { credit, now } = this.ports;
    const statedAtMs = Date.parse(statement.issued_at);
    if (Math.abs(now() - statedAtMs) > freshMs) {
      throw invalid("issued_at is too far from the coordinator's time.", "Sign it anew, with the present time.");
    }
    const before = credit.volunteer(id);
    if (before && statedAtMs <= before.statedAtMs) {
      throw invalid("A statement that is as new, or newer, was taken already.", "Sign it anew.");
    }
    if (this.ports.nameOf(id) === undefined) throw invalid("This identity was never here.", "Connect with it first.");
    if (statement.action === "erase") await this.#erase(id, statedAtMs);
    else await this.#profile({ id, team: statement.team, submitter: statement.submitter, statedAtMs }, before, caller);
    return (await this.volunteer(id)) as VolunteerPage;
  }

  async erase(id: string): Promise<boolean> {
    if (this.ports.nameOf(id) === undefined) return false;
    await this.#erase(id, this.ports.now());
    return true;
  }

  async #profile(next: VolunteerRecord, before: VolunteerRecord | null, caller: string | null): Promise<void> {
    const changes = next.submitter !== (before?.submitter ?? null);
    if (changes && next.submitter !== null && next.submitter !== caller) {
      throw invalid(
        "Only a submitter's own key may name its volunteers.",
        "Send that key in the Authorization header.",
      );
    }
    await this.ports.written([{ type: "volunteer.upsert", volunteer: next }]);
    this.ports.credit.remember(next);
  }

  async #erase(id: string, statedAtMs: number): Promise<void> {
    // A name that is written meanwhile is written before: it is forgotten in memory first.
    this.ports.forgetName(id);
    await this.ports.written([{ type: "volunteer.erase", id, statedAtMs }]);
    this.ports.credit.remember({ id, team: null, submitter: null, statedAtMs });
  }

  async #ranked(): Promise<VolunteerView[]> {
    const { credit, nameOf, now } = this.ports;
    const balances = await orRefusal(credit.balances(now()));
    return [...balances]
      .filter(([, { coreSeconds }]) => coreSeconds > negligible)
      .sort(([a, { coreSeconds: more }], [b, { coreSeconds: less }]) => less - more || (a < b ? -1 : 1))
      .map(([id, { coreSeconds, postings }], index) => ({
        volunteer_id: id,
        name: nameOf(id) ?? null,
        team: credit.volunteer(id)?.team ?? null,
        core_seconds: coreSeconds,
        rank: index + 1,
        postings,
      }));
  }

  #paydays(): { as_of: string; next_payday: string } {
    const { credit, now } = this.ports;
    return { as_of: iso(credit.lastPayday(now())), next_payday: iso(credit.nextPayday(now())) };
  }
}

/** Sums of grants and what was taken back of them may differ from zero by rounding. */
const negligible = 1e-6;

const iso = (ms: number): string => new Date(ms).toISOString();

function teamsOf(views: readonly VolunteerView[]): TeamView[] {
  const teams = new Map<string, TeamView>();
  for (const { team, core_seconds } of views) {
    if (team === null) continue;
    const sum = teams.get(team) ?? { team, volunteers: 0, core_seconds: 0 };
    teams.set(team, { team, volunteers: sum.volunteers + 1, core_seconds: sum.core_seconds + core_seconds });
  }
  return [...teams.values()].sort((a, b) => b.core_seconds - a.core_seconds);
}

const invalid = (message: string, remedy: string): GridError =>
  new GridError("invalid_statement", message, { field: "statement", remedy });

/** Throws GridError where the identity did not sign the text, or the text is no statement of it. */
function signedStatement(id: string, { statement, public_key, signature }: StatementBody): VolunteerStatement {
  const raw = Buffer.from(public_key, "hex");
  if (createHash("sha256").update(raw).digest("hex").slice(0, 16) !== id) {
    throw invalid("The key is another identity's.", "Use the identity's own key.");
  }
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
  if (!verify(null, Buffer.from(statementText(statement)), key, Buffer.from(signature, "hex"))) {
    throw invalid("The statement is not signed by this key.", "Sign queztl.volunteer.v1, a line feed, and the text.");
  }
  const parsed = volunteerStatementSchema.safeParse(parse(statement));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(`${issue?.path.join(".") ?? ""}: ${issue?.message ?? "no statement"}`, "See docs/credit.md.");
  }
  if (parsed.data.volunteer !== id) throw invalid("The statement is of another identity.", "Name the identity itself.");
  return parsed.data;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
