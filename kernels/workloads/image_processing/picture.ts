/** The generated picture of `picture.as.ts`, for previews and tests. */
import { mix } from "../../mix.ts";

/** One sample, 0 to 255. */
export function pixelAt(x: number, y: number, channel: number, seed: number, width: number, height: number): number {
  const slope = channel === 1 ? Math.floor((y * 160) / height) : Math.floor((x * 160) / width);
  const [dx, dy] = [2 * x - width, 2 * y - height];
  const ring = ((dx * dx + dy * dy) >>> (8 + channel)) & 64;
  const noise = mix((mix((mix((seed + channel) | 0) + x) | 0) + y) | 0) & 31;
  return slope + ring + noise;
}

/** RGB, row by row. Every `step`-th pixel of every `step`-th row. */
export function draw(width: number, height: number, seed: number, step = 1): Uint8Array {
  const [columns, rows] = [Math.ceil(width / step), Math.ceil(height / step)];
  const pixels = new Uint8Array(columns * rows * 3);
  let at = 0;
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++)
      for (let c = 0; c < 3; c++) pixels[at++] = pixelAt(x * step, y * step, c, seed, width, height);
  return pixels;
}
