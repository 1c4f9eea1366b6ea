/** Pixels of a cell, where `grid` make up `size`: one more unless both directions divide evenly, as OpenCV pads them. */
export const cellSizeOf = (size: number, other: number, grid: number): number =>
  Math.floor(size / grid) + (size % grid === 0 && other % grid === 0 ? 0 : 1);
