/** Which seeds a run takes: `SIM_SEED=7` one, `SIM_SEEDS=1000` so many; files that share them run side by side. */
export function seedsOf(part: number, parts: number): number[] {
  const one = process.env.SIM_SEED;
  if (one) return part === 0 ? [Number(one)] : [];
  const count = Number(process.env.SIM_SEEDS ?? 120);
  return Array.from({ length: count }, (_, index) => index + 1).filter((seed) => seed % parts === part);
}

/** Faults that must have happened in so many runs; a simulator that stopped making them would prove nothing. */
export const mustHappen = [
  "connection lost",
  "connection lost, half open",
  "coordinator died, batch kept",
  "coordinator died, batch lost",
  "copy of last grains",
  "forged result refused",
  "grain failed",
  "job cancelled",
  "job with replicas",
  "lease expired",
  "lease resumed",
  "message overtaken",
  "no own node",
  "node crashed",
  "node crashed, half open",
  "node silent",
  "node stalled",
  "node stopped",
  "own node crashed",
  "result refused: job_ended",
  "result rejected",
  "result sent twice",
  "slow reader",
  "told already here",
  "told silent",
  "unacknowledged results sent again",
  "wrong partial",
] as const;
