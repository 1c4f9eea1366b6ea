/** What a researcher asks for: the payload's schema, its bounds, and what follows from its defaults. */
import * as z from "zod";
import { expectedOf } from "./closed-form.ts";
import { normalCdf } from "./normal.ts";

/** Paths of a job, at most: with two to the power of 20 grains, a grain stays below 2^31 paths. */
export const ITERATIONS_MAX = 2 ** 49;
/** Operations (see `operationsPerPath`) of a job and of one batch, at most: 2^20 grains of 4 s, and 4 s, of one core. */
export const OPERATIONS_MAX = 2 ** 50;
export const BATCH_OPERATIONS_MAX = 2 ** 30;
export const STEPS_MAX = 1024;
export const STEPS_DEFAULT = 12;
const SEED_MAX = 2n ** 64n - 1n;
const SEED_MESSAGE =
  "a whole number from 0 to 18446744073709551615 (2^64 - 1); write one above 9007199254740991 as a string";
const isSeed = (seed: number | string) =>
  typeof seed === "number"
    ? Number.isSafeInteger(seed) && seed >= 0
    : /^\d{1,20}$/.test(seed) && BigInt(seed) <= SEED_MAX;
const PATHS_MESSAGE = `a whole number of paths, at most ${ITERATIONS_MAX} (2^49); split more into jobs with different seeds`;
/** A batch of which this many operations are made, when the payload names no batch. */
const BATCH_OPERATIONS = 2 ** 20;

const positive = (max: number, unit: string) =>
  z.number(`a number, ${unit}`).positive(`more than 0, ${unit}`).max(max, `at most ${max}, ${unit}`);

const shape = z.strictObject({
  model: z
    .enum(["pi", "european_option", "asian_option"], 'one of "pi", "european_option", "asian_option"')
    .optional()
    .describe("What is simulated. Without it: pi, from darts thrown at a quarter circle."),
  iterations: z
    .number(PATHS_MESSAGE)
    .int(PATHS_MESSAGE)
    .min(1, "at least 1 path")
    .max(ITERATIONS_MAX, PATHS_MESSAGE)
    .describe("Paths (for pi: darts) to simulate."),
  samples: z
    .number("a whole number of paths in a batch")
    .int("a whole number of paths in a batch")
    .min(1, "at least 1 path in a batch")
    .max(BATCH_OPERATIONS_MAX, `at most ${BATCH_OPERATIONS_MAX} paths in a batch; leave it out for a fitting one`)
    .optional()
    .describe("Paths in a batch, the unit in which the work is cut. The last batch may be shorter."),
  seed: z
    .union([z.number(), z.string()], SEED_MESSAGE)
    .refine(isSeed, SEED_MESSAGE)
    .optional()
    .describe("Chooses the random stream; the same seed gives the same result. Default 0."),
  standard_error: z
    .number("a number")
    .positive("more than 0; leave it out to run all iterations")
    .optional()
    .describe("Stop early, once the estimate's standard error is this small."),
  confidence: z
    .number("a number between 0 and 1")
    .gt(0, "more than 0, as 0.95")
    .lt(1, "less than 1, as 0.95")
    .min(0.5, "at least 0.5, as 0.95")
    .max(0.999999, "at most 0.999999")
    .optional()
    .describe("Level of the reported interval. Default 0.95."),
  kind: z
    .enum(["call", "put"], '"call" or "put"')
    .optional()
    .describe("Options: the right to buy or to sell. Default call."),
  average: z
    .enum(["geometric", "arithmetic"], '"geometric" or "arithmetic"')
    .optional()
    .describe("Asian options: how the path's prices are averaged. Default arithmetic."),
  spot: positive(1e12, "the price today").optional().describe("Options: the price today."),
  strike: positive(1e12, "the price agreed on").optional().describe("Options: the price agreed on."),
  rate: z
    .number("a number, as 0.05 for 5% a year")
    .min(-1, "at least -1: give it as a fraction, 0.05 for 5% a year")
    .max(1, "at most 1: give it as a fraction, 0.05 for 5% a year")
    .optional()
    .describe("Options: risk-free rate a year, continuously compounded. Default 0."),
  volatility: positive(4, "a fraction a year, as 0.2 for 20%")
    .optional()
    .describe("Options: volatility a year, as a fraction."),
  maturity: positive(100, "in years").optional().describe("Options: years until the option ends."),
  steps: z
    .number("a whole number of dates")
    .int("a whole number of dates")
    .min(1, "at least 1 date")
    .max(STEPS_MAX, `at most ${STEPS_MAX} dates`)
    .optional()
    .describe(
      `Asian options: dates that the average is taken at, evenly spaced, the last at maturity. Default ${STEPS_DEFAULT}.`,
    ),
});

type Shape = z.infer<typeof shape>;
export type MonteCarloPayload = Shape;

const optionFields = ["kind", "spot", "strike", "rate", "volatility", "maturity"] as const;
const asianFields = ["average", "steps"] as const;
const needed = ["spot", "strike", "volatility", "maturity"] as const;

export const payloadSchema = shape.superRefine((payload, context) => {
  const complain = (field: keyof Shape, message: string) =>
    context.addIssue({ code: "custom", path: [field], message });
  const model = payload.model ?? "pi";
  if (model === "pi") {
    for (const field of [...optionFields, ...asianFields]) {
      if (payload[field] !== undefined)
        complain(field, `belongs to options: leave it out, or add "model": "european_option" or "asian_option"`);
    }
  } else {
    checkOption(payload, complain);
  }
  const perPath = operationsPerPath(payload);
  if (payload.iterations * perPath > OPERATIONS_MAX)
    complain(
      "iterations",
      `at most ${Math.floor(OPERATIONS_MAX / perPath)} paths of this model; split the work into jobs with different seeds`,
    );
  if (payload.samples !== undefined && Math.min(payload.samples, payload.iterations) * perPath > BATCH_OPERATIONS_MAX)
    complain(
      "samples",
      `at most ${Math.floor(BATCH_OPERATIONS_MAX / perPath)} paths of this model in a batch, about 4 s of a core; leave it out for a fitting one`,
    );
});

function checkOption(payload: Shape, complain: (field: keyof Shape, message: string) => void): void {
  const missing = needed.filter((field) => payload[field] === undefined);
  for (const field of missing)
    complain(field, `needed by the model ${payload.model}; as "${field}": ${example[field]}`);
  if (payload.model === "european_option") {
    for (const field of asianFields) {
      if (payload[field] !== undefined) complain(field, `belongs to asian_option: leave it out, or change the model`);
    }
  }
  if (missing.length > 0) return;
  checkTerms(optionOf(payload), payload.iterations, complain);
}

/** Refuses what the sums, the shader's range or the random words' resolution cannot serve; the first reason only. */
function checkTerms(option: Option, iterations: number, complain: (field: keyof Shape, message: string) => void): void {
  const deviation = option.volatility * Math.sqrt(option.maturity);
  const drift = Math.abs(option.rate * option.maturity);
  const away = Math.abs(Math.log(option.spot / option.strike));
  const spread = `volatility * sqrt(maturity) is ${deviation.toPrecision(3)}`;
  if (deviation > 2) {
    complain("volatility", `${spread}; at most 2, so that payoffs fit the exact sums: lower one of them`);
  } else if (deviation < 1e-4) {
    complain("volatility", `${spread}; at least 0.0001: with less, use the forward price`);
  } else if (drift > 2) {
    complain("rate", `rate * maturity is ${drift.toPrecision(3)}; at most 2: give the rate as a fraction a year`);
  } else if (away > 6 * deviation + drift) {
    complain(
      "strike",
      `${(away / deviation).toPrecision(3)} standard deviations from the spot; at most 6, or plain sampling never meets the strike: choose a nearer one`,
    );
  } else if (iterations > pathsOfResolution(option)) {
    complain(
      "iterations",
      `at most ${pathsOfResolution(option)} paths of this option: more would show the 32 bits that each random number has; ask for fewer`,
    );
  }
}

/** The largest normal that Box-Muller makes of a 32-bit word: sqrt(-2 ln 2^-33). */
const NORMAL_MAX = Math.sqrt(66 * Math.LN2);

/**
 * Paths up to which the resolution of 32-bit words stays below 0.05 standard errors of the estimate. The words' normals
 * end at 6.76, and are coarse before; a price of log-deviation v loses less than half of the normal tail beyond
 * 6.66 - v of itself by that (by numerical integration: a fifth at v = 2, less below), n steps of v / sqrt(n) n times it.
 */
export function pathsOfResolution(option: Option): number {
  const { price, payoffDeviation } = expectedOf(option);
  const step = (option.volatility * Math.sqrt(option.maturity)) / Math.sqrt(option.steps);
  const tail = (option.steps * normalCdf((option.put ? 0 : step) - NORMAL_MAX + 0.1)) / 2;
  const loss = tail * (option.put ? 1 : price);
  return Math.floor(((0.05 * payoffDeviation) / loss) ** 2);
}

const example = { spot: 100, strike: 100, volatility: 0.2, maturity: 1 } as const;

export interface Option {
  asian: boolean;
  geometric: boolean;
  put: boolean;
  spot: number;
  strike: number;
  rate: number;
  volatility: number;
  maturity: number;
  /** Dates of the average; 1 for a European option. */
  steps: number;
}

/** An option payload with its defaults filled in. Throws for a payload of the model pi. */
export function optionOf(payload: MonteCarloPayload): Option {
  const { spot, strike, volatility, maturity } = payload;
  if (spot === undefined || strike === undefined || volatility === undefined || maturity === undefined)
    throw new Error("an option needs spot, strike, volatility and maturity");
  const asian = payload.model === "asian_option";
  return {
    asian,
    geometric: asian && payload.average === "geometric",
    put: payload.kind === "put",
    spot,
    strike,
    rate: payload.rate ?? 0,
    volatility,
    maturity,
    steps: asian ? (payload.steps ?? STEPS_DEFAULT) : 1,
  };
}

export const modelOf = (payload: MonteCarloPayload) => payload.model ?? "pi";
export const seedOf = (payload: MonteCarloPayload): bigint => BigInt(payload.seed ?? 0);

/**
 * Operations of a path. One operation is one dart of the model pi; the others were measured against it on one SIMD
 * WASM thread: a European path costs 4.7 darts, a step of an arithmetic average 4.2, of a geometric one 2.6.
 */
export function operationsPerPath(payload: MonteCarloPayload): number {
  const steps = payload.steps ?? STEPS_DEFAULT;
  if (payload.model === "european_option") return 5;
  if (payload.model === "asian_option") return 2 + steps * (payload.average === "geometric" ? 3 : 4);
  return 1;
}

/** Paths of a batch (a task): `samples`, or a power of two that takes about 4 ms of a core; never more than all. */
export function batchOf(payload: MonteCarloPayload): number {
  const fitting = 2 ** Math.floor(Math.log2(BATCH_OPERATIONS / operationsPerPath(payload)));
  return Math.min(payload.samples ?? Math.max(fitting, Math.ceil(payload.iterations / 2 ** 40)), payload.iterations);
}

/** Paths lo..hi of tasks lo..hi. */
export function pathsOf(payload: MonteCarloPayload, lo: number, hi: number): [first: number, end: number] {
  const batch = batchOf(payload);
  return [lo * batch, Math.min(hi * batch, payload.iterations)];
}
