/**
 * A parameter sweep: predators and prey (Lotka and Volterra), integrated by Runge and Kutta's fourth-order rule for many
 * pairs of rates. `node docs/examples/sweep.mjs 20` prints where the prey swings most.
 */
const { connect } = await import(process.env.QUEZTL_SDK ?? "./queztl-sdk.mjs");

const source = `
import { text, answer } from "./queztl";

const birth: f64 = 1.1, growth: f64 = 0.1;
let hunt: f64 = 0, death: f64 = 0;

export function run(at: usize, length: i32): u64 {
  const rates = text(at, length).slice(1, -1).split(",");
  hunt = F64.parseFloat(rates[0]);
  death = F64.parseFloat(rates[1]);
  let x: f64 = 10, y: f64 = 5, least: f64 = x, most: f64 = x;
  const h: f64 = 0.001;
  for (let step = 0; step < 50000; step++) {
    const k1x = prey(x, y), k1y = predators(x, y);
    const k2x = prey(x + h / 2 * k1x, y + h / 2 * k1y), k2y = predators(x + h / 2 * k1x, y + h / 2 * k1y);
    const k3x = prey(x + h / 2 * k2x, y + h / 2 * k2y), k3y = predators(x + h / 2 * k2x, y + h / 2 * k2y);
    const k4x = prey(x + h * k3x, y + h * k3y), k4y = predators(x + h * k3x, y + h * k3y);
    x += h / 6 * (k1x + 2 * k2x + 2 * k3x + k4x);
    y += h / 6 * (k1y + 2 * k2y + 2 * k3y + k4y);
    least = min(least, x);
    most = max(most, x);
  }
  return answer("[" + least.toString() + "," + most.toString() + "]");
}

function prey(x: f64, y: f64): f64 {
  return birth * x - hunt * x * y;
}
function predators(x: f64, y: f64): f64 {
  return growth * x * y - death * y;
}
`;

const steps = Number(process.argv[2] ?? 20);
const pairs = [];
for (let i = 1; i <= steps; i++) for (let j = 1; j <= steps; j++) pairs.push([(0.8 * i) / steps, (0.8 * j) / steps]);

const grid = connect(process.env.QUEZTL_URL ?? "http://localhost:8000", { key: process.env.QUEZTL_KEY });
let widest = { swing: 0, hunt: 0, death: 0 };
for await (const { index, value } of grid.map(pairs, { source })) {
  const [hunt, death] = pairs[index];
  const swing = value[1] - value[0];
  if (swing > widest.swing) widest = { swing, hunt, death };
}
console.log(
  `Of ${pairs.length} pairs, prey swings most (by ${widest.swing.toFixed(2)}) at hunt ${widest.hunt}, death ${widest.death}.`,
);
