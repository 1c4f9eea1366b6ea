/** Wilson's score interval for a share (E. B. Wilson, JASA 22, 1927): honest also where nothing was found wrong. */
export function wilson(found: number, of: number, z = 1.96): [lo: number, hi: number] {
  if (of <= 0) return [0, 1];
  const share = found / of;
  const denominator = 1 + (z * z) / of;
  const centre = share + (z * z) / (2 * of);
  const half = z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of));
  return [Math.max(0, (centre - half) / denominator), Math.min(1, (centre + half) / denominator)];
}
