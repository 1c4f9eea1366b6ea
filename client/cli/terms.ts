/** Flags of what a job may cost, where it may run, how sure it must be, and whom to tell. */
import type { SubmitOptions } from "../sdk/index.ts";
import type { Context } from "./context.ts";
import { UsageError } from "./exits.ts";
import { type Flag, integerFlag, numberFlag } from "./flags.ts";

export const termFlags = {
  supply: { value: "WHO", help: "`volunteers`, or `paid`: instances may be launched for it" },
  deadline: { value: "TIME", help: "When it should be done, as 2027-01-31T18:00Z" },
  budget: { value: "DOLLARS", help: "What its instances may cost" },
  region: { value: "REGION", help: "Where the work comes from, as eu-west-1" },
  placement: {
    value: "WHERE",
    help: "Who may see the inputs: `own` nodes, `trusted` volunteers too, or `volunteers`",
  },
  audit: { value: "SHARE", help: "Share of trusted volunteers' results that own nodes audit, 0 to 1" },
  redundancy: { value: "N", help: "Identities of different networks that compute every grain, 1 to 8" },
  webhook: { value: "URL", help: "Told of its end; a host that the operator allows" },
} as const satisfies Record<string, Flag>;

/** Who pays, until when, how sure, and whom to tell. What the coordinator knows better is left to it. */
export function termsOf(flags: Context["flags"]): SubmitOptions {
  const supply = flags.get("supply");
  if (supply !== undefined && supply !== "volunteers" && supply !== "paid")
    throw new UsageError("--supply", `--supply is "${supply}".`, "Give volunteers or paid.");
  const deadline = flags.has("deadline") ? new Date(flags.get("deadline") as string) : undefined;
  if (deadline && Number.isNaN(deadline.getTime()))
    throw new UsageError("--deadline", `--deadline is "${flags.get("deadline")}".`, "Give it like 2027-01-31T18:00Z.");
  const placement = flags.get("placement");
  if (placement !== undefined && placement !== "own" && placement !== "trusted" && placement !== "volunteers")
    throw new UsageError("--placement", `--placement is "${placement}".`, "Give own, trusted or volunteers.");
  const audit = numberFlag(flags, "audit", 0, 1);
  const redundancy = integerFlag(flags, "redundancy", 1, 8);
  const verification = {
    ...(audit === undefined ? {} : { audit }),
    ...(redundancy === undefined ? {} : { redundancy }),
  };
  const budget = numberFlag(flags, "budget", 0, 1e6);
  return {
    ...(supply === undefined ? {} : { supply }),
    ...(deadline === undefined ? {} : { deadline }),
    ...(budget === undefined ? {} : { budget }),
    ...(placement === undefined ? {} : { placement }),
    ...(flags.has("region") ? { region: flags.get("region")! } : {}),
    ...(flags.has("webhook") ? { webhook: flags.get("webhook")! } : {}),
    ...(Object.keys(verification).length > 0 ? { verification } : {}),
  };
}
