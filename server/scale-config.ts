/** The autoscaler's flags and variables, and what they default to. Read by config.ts. */
import { availableParallelism } from "node:os";
import type { PolicyName, Target } from "./autoscaler/model.ts";

export const providerNames = ["local", "docker", "aws", "gcp", "azure", "kubernetes", "ssh"] as const;
export type ProviderName = (typeof providerNames)[number];
export const policyNames = ["reactive", "predictive", "cost_optimized"] as const;

export interface ScaleConfig {
  provider: ProviderName;
  policy: PolicyName;
  target: Target;
  /** What was named at this start: it beats what was changed over REST before. */
  named: (keyof Target | "policy")[];
  /** Where instances reach the coordinator; null: as the coordinator itself finds. */
  coordinatorUrl: string | null;
  /** What adapters find their clouds by. Credentials are looked up by the clouds' own libraries. */
  cloud: Readonly<Record<string, string | undefined>>;
}

export const scaleFlags = {
  "scale-provider": {
    type: "string",
    help: `Launch instances for paid work: ${providerNames.join(", ")} (QUEZTL_SCALE_PROVIDER; default local where another scaling flag is given, else none)`,
  },
  "min-nodes": { type: "string", help: "Instances at least, volunteers not counted (QUEZTL_SCALE_MIN; default 0)" },
  "max-nodes": {
    type: "string",
    help: "Instances at most (QUEZTL_SCALE_MAX, QUEZTL_MAX_NODES; default 100, for local the number of cores)",
  },
  "scale-policy": {
    type: "string",
    help: `${policyNames.join(", ")} (QUEZTL_SCALE_POLICY; default reactive)`,
  },
  "target-cpu": {
    type: "string",
    help: "Share of an instance that plans count on (QUEZTL_SCALE_TARGET_CPU; default 0.7)",
  },
  "scale-up-at": { type: "string", help: "Load above which it buys (QUEZTL_SCALE_UP_THRESHOLD; default 0.85)" },
  "scale-down-at": {
    type: "string",
    help: "Load below which it gives back (QUEZTL_SCALE_DOWN_THRESHOLD; default 0.3)",
  },
  "scale-cooldown": {
    type: "string",
    help: "Seconds whose highest need scale-down goes by (QUEZTL_SCALE_COOLDOWN; default 300, local 20)",
  },
  "max-dollars-per-hour": {
    type: "string",
    help: "Sum of all instances' prices at most; none: no limit (QUEZTL_SCALE_DOLLARS_PER_HOUR; default 5)",
  },
  "max-dollars-per-day": {
    type: "string",
    help: "What a day (UTC) may cost at most; none: no limit (QUEZTL_SCALE_DOLLARS_PER_DAY; default 25)",
  },
  "scale-url": {
    type: "string",
    help: "Where instances reach this coordinator (QUEZTL_SCALE_URL; default the public URL, else this machine's address)",
  },
} as const;

/** Cloud variables that have no flag, for `--help`. */
export const scaleVariables = `Clouds read their own variables too: AWS_REGION, GCP_PROJECT, AZURE_SUBSCRIPTION, and the credentials that
their libraries look for. A flag beats a variable, and QUEZTL_SCALE_MAX beats QUEZTL_MAX_NODES.`;

type Values = { readonly [Name in keyof typeof scaleFlags]?: string | undefined };
type Env = Readonly<Record<string, string | undefined>>;

/** Throws through `fail` with the flag's name and the remedy. Null where no instances are asked for. */
export function readScaleConfig(values: Values, env: Env, fail: (message: string) => never): ScaleConfig | null {
  const text = (flag: keyof typeof scaleFlags, ...variables: string[]): string | undefined =>
    [values[flag], ...variables.map((name) => env[name])].find((value) => value !== undefined && value !== "");
  const given = {
    provider: text("scale-provider", "QUEZTL_SCALE_PROVIDER"),
    policy: text("scale-policy", "QUEZTL_SCALE_POLICY"),
    minNodes: text("min-nodes", "QUEZTL_SCALE_MIN"),
    maxNodes: text("max-nodes", "QUEZTL_SCALE_MAX", "QUEZTL_MAX_NODES"),
    targetCpu: text("target-cpu", "QUEZTL_SCALE_TARGET_CPU"),
    scaleUpThreshold: text("scale-up-at", "QUEZTL_SCALE_UP_THRESHOLD"),
    scaleDownThreshold: text("scale-down-at", "QUEZTL_SCALE_DOWN_THRESHOLD"),
    cooldownMs: text("scale-cooldown", "QUEZTL_SCALE_COOLDOWN"),
    dollarsPerHourMax: text("max-dollars-per-hour", "QUEZTL_SCALE_DOLLARS_PER_HOUR"),
    dollarsPerDayMax: text("max-dollars-per-day", "QUEZTL_SCALE_DOLLARS_PER_DAY"),
  };
  if (Object.values(given).every((value) => value === undefined)) return null;
  const provider = oneOf(given.provider ?? "local", providerNames, "--scale-provider / QUEZTL_SCALE_PROVIDER", fail);
  const isLocal = provider === "local";
  const number = (value: string | undefined, name: string, least: number, most: number, otherwise: number): number =>
    value === undefined ? otherwise : within(value, name, least, most, fail);
  const dollars = (value: string | undefined, name: string, otherwise: number): number | null =>
    value === "none" ? null : number(value, name, 0, 1e6, otherwise);
  const target: Target = {
    minNodes: number(given.minNodes, "--min-nodes / QUEZTL_SCALE_MIN", 0, nodesMax, 0),
    maxNodes: number(
      given.maxNodes,
      "--max-nodes / QUEZTL_SCALE_MAX / QUEZTL_MAX_NODES",
      0,
      nodesMax,
      isLocal ? availableParallelism() : 100,
    ),
    targetCpu: number(given.targetCpu, "--target-cpu / QUEZTL_SCALE_TARGET_CPU", 0.05, 1, 0.7),
    scaleUpThreshold: number(given.scaleUpThreshold, "--scale-up-at / QUEZTL_SCALE_UP_THRESHOLD", 0.05, 10, 0.85),
    scaleDownThreshold: number(given.scaleDownThreshold, "--scale-down-at / QUEZTL_SCALE_DOWN_THRESHOLD", 0, 10, 0.3),
    cooldownMs:
      number(given.cooldownMs, "--scale-cooldown / QUEZTL_SCALE_COOLDOWN", 0, 86_400, isLocal ? 20 : 300) * 1000,
    dollarsPerHourMax: dollars(given.dollarsPerHourMax, "--max-dollars-per-hour / QUEZTL_SCALE_DOLLARS_PER_HOUR", 5),
    dollarsPerDayMax: dollars(given.dollarsPerDayMax, "--max-dollars-per-day / QUEZTL_SCALE_DOLLARS_PER_DAY", 25),
  };
  const named = (Object.keys(target) as (keyof Target)[]).filter((key) => given[key] !== undefined);
  const whole = [target.minNodes, target.maxNodes].every(Number.isInteger);
  if (!whole) fail("--min-nodes and --max-nodes must be whole numbers.");
  const wrong = contradiction(target);
  if (wrong !== null) fail(wrong);
  return {
    provider,
    policy: oneOf(given.policy ?? "reactive", policyNames, "--scale-policy / QUEZTL_SCALE_POLICY", fail),
    target,
    named: given.policy === undefined ? named : [...named, "policy"],
    coordinatorUrl: text("scale-url", "QUEZTL_SCALE_URL") ?? null,
    cloud: Object.fromEntries(Object.entries(env).filter(([name]) => cloudVariables.test(name))),
  };
}

/** What adapters may be told of the environment. */
const cloudVariables = /^(?:AWS_|GCP_|GOOGLE_|AZURE_|DOCKER_|KUBE|QUEZTL_(?:SSH|DOCKER|K8S|EC2|GCP|AZURE)_)/;
export const nodesMax = 10_000;

/** Why a target cannot be meant; null where it can. */
export function contradiction(target: Target): string | null {
  if (target.minNodes > target.maxNodes) {
    return `At least ${target.minNodes} and at most ${target.maxNodes} instances contradict each other: lower --min-nodes or raise --max-nodes.`;
  }
  if (target.scaleDownThreshold >= target.scaleUpThreshold) {
    return `Instances would be given back at a load of ${target.scaleDownThreshold} and bought at ${target.scaleUpThreshold}: set the first below the second.`;
  }
  return null;
}

function oneOf<Name extends string>(
  text: string,
  names: readonly Name[],
  flag: string,
  fail: (m: string) => never,
): Name {
  // "cost-optimized" is as good as "cost_optimized", and so are capitals.
  const name = names.find((each) => each === text.toLowerCase().replaceAll("-", "_"));
  return name ?? fail(`${flag} must be one of ${names.join(", ")}; it is "${text}".`);
}

function within(text: string, flag: string, least: number, most: number, fail: (message: string) => never): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= least && value <= most) return value;
  return fail(`${flag} must be a number from ${least} to ${most}; it is "${text}".`);
}
