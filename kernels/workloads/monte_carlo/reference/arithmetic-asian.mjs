/**
 * High-precision prices of discretely averaged arithmetic Asian options, to hold the Monte Carlo kernels against.
 * Shares no code with them and draws no random number: it integrates.
 *
 *   node kernels/workloads/monte_carlo/reference/arithmetic-asian.mjs        writes arithmetic-asian.json
 *
 * Method. With S_j = S_0 R_1 ... R_j and independent lognormal R_j, the sum of n prices is
 * S_0 R_1 (1 + R_2 (1 + ... (1 + R_n))), so it is S_0 X_n for the Markov chain X_0 = 0, X_m = R (1 + X_(m-1))
 * (Carverhill and Clewlow, "Flexible convolution", Risk 3, 1990). The put's value is carried backward through the
 * chain, v_(m-1)(x) = E v_m(R (1 + x)), as a function of y = ln(1 + x):
 *   - the last step has a kink at the strike; it is integrated up to the kink by Gauss-Legendre rules;
 *   - the other steps have analytic integrands on the whole line, for which the trapezoidal rule converges
 *     geometrically; between grid points v is interpolated by polynomials through ten points.
 * The put is bounded, which suits a grid; the call follows by parity, E A being known exactly. Every price is computed
 * on two grids and with two rules; `error` is four times their difference, and at least 1e-10.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const POINTS = 10;
const REACH = 9.5;

/** Nodes and weights of the Gauss-Legendre rule on -1..1, by Newton's method. @param {number} n */
function gaussLegendre(n) {
  const rule = [];
  for (let i = 0; i < n; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 1;
    for (let turn = 0; turn < 100; turn++) {
      let [previous, current] = [1, x];
      for (let k = 2; k <= n; k++)
        [previous, current] = [current, ((2 * k - 1) * x * current - (k - 1) * previous) / k];
      slope = (n * (x * current - previous)) / (x * x - 1);
      const step = current / slope;
      x -= step;
      if (Math.abs(step) < 1e-16) break;
    }
    rule.push({ x, weight: 2 / ((1 - x * x) * slope * slope) });
  }
  return rule;
}

const legendre = gaussLegendre(24);
/** @param {number} z */
const density = (z) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

/** @param {{spot: number, strike: number, rate: number, volatility: number, maturity: number, steps: number}} option */
function putByRecursion(option, gridStep, ruleStep) {
  const { spot, strike, rate, volatility, maturity, steps } = option;
  const a = ((rate - (volatility * volatility) / 2) * maturity) / steps;
  const b = volatility * Math.sqrt(maturity / steps);
  // The sum of prices is spot * X; the put pays (strike - spot X / n)+.
  const perUnit = spot / steps;
  const low = 0;
  const top = Math.log(steps + 1) + Math.abs(a) * steps + 10 * volatility * Math.sqrt(maturity);
  const size = Math.ceil((top - low) / gridStep) + POINTS;

  /** E (strike - perUnit e^(y + a + bz))+ */
  const lastStep = (/** @type {number} */ y) => {
    const kink = (Math.log(strike / perUnit) - y - a) / b;
    const end = Math.min(REACH, kink);
    if (end <= -REACH) return 0;
    const panels = Math.ceil(end + REACH);
    const half = (end + REACH) / panels / 2;
    let total = 0;
    for (let panel = 0; panel < panels; panel++) {
      const middle = -REACH + (2 * panel + 1) * half;
      for (const { x, weight } of legendre) {
        const z = middle + half * x;
        total += weight * half * density(z) * (strike - perUnit * Math.exp(y + a + b * z));
      }
    }
    return total;
  };

  let value = Float64Array.from({ length: size }, (_, i) => lastStep(low + i * gridStep));
  const nodes = [];
  for (let z = -REACH; z <= REACH + 1e-9; z += ruleStep) nodes.push({ move: a + b * z, weight: ruleStep * density(z) });
  const barycentric = weightsOf(POINTS);
  /** v at ln(1 + x), x = e^u. */
  const at = (/** @type {number} */ u) => interpolate(value, barycentric, (Math.log1p(Math.exp(u)) - low) / gridStep);
  const back = (/** @type {number} */ y) => {
    let total = 0;
    for (const { move, weight } of nodes) total += weight * at(y + move);
    return total;
  };
  for (let m = steps - 1; m >= 2; m--) value = Float64Array.from({ length: size }, (_, i) => back(low + i * gridStep));
  const undiscounted = steps === 1 ? lastStep(0) : back(0);
  return Math.exp(-rate * maturity) * undiscounted;
}

/** Barycentric weights of equidistant points: alternating binomials. @param {number} n */
function weightsOf(n) {
  const weights = [1];
  for (let i = 1; i < n; i++) weights.push((-weights[i - 1] * (n - i)) / i);
  return weights;
}

/** Polynomial through the ten grid points around `position` (in grid steps). Beyond the grid the put is worth nothing. */
function interpolate(value, weights, position) {
  if (position > value.length - 1) return 0;
  const first = Math.max(0, Math.min(value.length - POINTS, Math.round(position - (POINTS - 1) / 2)));
  let above = 0;
  let below = 0;
  for (let i = 0; i < POINTS; i++) {
    const distance = position - first - i;
    if (Math.abs(distance) < 1e-13) return value[first + i];
    const share = weights[i] / distance;
    above += share * value[first + i];
    below += share;
  }
  return above / below;
}

function priceOf(option) {
  const { spot, strike, rate, maturity, steps, kind } = option;
  const fine = putByRecursion(option, 0.005, 0.125);
  const coarse = putByRecursion(option, 0.0075, 0.2);
  let mean = 0;
  for (let j = 1; j <= steps; j++) mean += (spot * Math.exp((rate * maturity * j) / steps)) / steps;
  const parity = kind === "call" ? Math.exp(-rate * maturity) * (mean - strike) : 0;
  return { ...option, price: fine + parity, error: Math.max(1e-10, 4 * Math.abs(fine - coarse)) };
}

const base = { spot: 100, strike: 100, rate: 0.05, volatility: 0.2, maturity: 1, steps: 12, kind: "call" };
const options = [
  { ...base, steps: 1 },
  base,
  { ...base, kind: "put", strike: 105 },
  { ...base, steps: 52, volatility: 0.35, strike: 95 },
  { ...base, steps: 4, volatility: 0.5, maturity: 3, rate: 0.02, strike: 130 },
];
const output = {
  method: "backward recursion of Carverhill and Clewlow; see arithmetic-asian.mjs",
  prices: options.map(priceOf),
};
writeFileSync(fileURLToPath(new URL("arithmetic-asian.json", import.meta.url)), `${JSON.stringify(output, null, 2)}\n`);
