/** Maps of the plane, by arithmetic that is the same on every device: no sine of the system's. */

/** Sine and cosine of degrees, to the last bits or so. */
export function turnOf(degrees: number): { sine: number; cosine: number } {
  const quarter = Math.round(degrees / 90);
  const angle = ((degrees - 90 * quarter) * Math.PI) / 180;
  const square = angle * angle;
  let [sine, cosine] = [0, 0];
  for (let k = 12; k >= 0; k--) {
    sine = 1 - (square / ((2 * k + 2) * (2 * k + 3))) * (k === 12 ? 1 : sine);
    cosine = 1 - (square / ((2 * k + 1) * (2 * k + 2))) * (k === 12 ? 1 : cosine);
  }
  sine *= angle;
  const turns = ((quarter % 4) + 4) % 4;
  if (turns === 1) return { sine: cosine, cosine: -sine };
  if (turns === 2) return { sine: -sine, cosine: -cosine };
  return turns === 3 ? { sine: -cosine, cosine: sine } : { sine, cosine };
}

/** Counter-clockwise about the middle, as OpenCV's getRotationMatrix2D, from input to output. */
export function rotation(degrees: number, width: number, height: number): number[][] {
  const { sine, cosine } = turnOf(degrees);
  const [x, y] = [(width - 1) / 2, (height - 1) / 2];
  return [
    [cosine, sine, (1 - cosine) * x - sine * y],
    [-sine, cosine, sine * x + (1 - cosine) * y],
  ];
}

/** Six numbers, from output to input, as OpenCV's warpAffine inverts. */
export function inverseAffine([[a = 0, b = 0, c = 0] = [], [d = 0, e = 0, f = 0] = []]: readonly number[][]): number[] {
  const determinant = a * e - b * d;
  const scale = determinant === 0 ? 0 : 1 / determinant;
  const [p, q, r, s] = [e * scale, b * -scale, d * -scale, a * scale];
  return [p, q, -p * c - q * f, r, s, -r * c - s * f];
}

/** Nine numbers; null where it cannot be inverted. */
export function inverse3(matrix: readonly number[][]): number[] | null {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0] = matrix.flat();
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  if (Math.abs(determinant) < 1e-12) return null;
  const scale = 1 / determinant;
  return [
    (e * i - f * h) * scale,
    (c * h - b * i) * scale,
    (b * f - c * e) * scale,
    (f * g - d * i) * scale,
    (a * i - c * g) * scale,
    (c * d - a * f) * scale,
    (d * h - e * g) * scale,
    (b * g - a * h) * scale,
    (a * e - b * d) * scale,
  ];
}
