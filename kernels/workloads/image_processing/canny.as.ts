/** Canny's edges before hysteresis (Canny, IEEE PAMI 8(6), 1986), as OpenCV's with 3 x 3 Sobel and |dx| + |dy|. */
import { scratch, sobelX, sobelY } from "./filters.as";
import { Window } from "./window.as";

/** Tangent of 22.5 degrees in 1/32768. */
const TANGENT: i32 = 13573;

/**
 * 0 where there is no edge, 1 where one continues if it touches a strong one, 2 where it is strong. `from` is padded by 2,
 * its border doubled; beyond the image a gradient is 0.
 */
export function edges(from: Window, to: Window, low: i32, high: i32): void {
  const columns = to.columns + 2;
  const rows = to.rows + 2;
  const stride = <usize>from.rowBytes;
  const magnitudes = scratch(<usize>(columns * rows * 4));
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++) {
      const imageX = to.x0 - 1 + x;
      const imageY = to.y0 - 1 + y;
      const inside = imageX >= 0 && imageX < to.width && imageY >= 0 && imageY < to.height;
      const at = from.at + <usize>(y + 1) * stride + <usize>(x + 1);
      const size = inside ? abs(sobelX(at, stride, 1)) + abs(sobelY(at, stride, 1)) : 0;
      store<i32>(magnitudes + (<usize>(y * columns + x) << 2), size);
    }
  for (let y = 0; y < to.rows; y++)
    for (let x = 0; x < to.columns; x++) {
      const middle = magnitudes + (<usize>((y + 1) * columns + x + 1) << 2);
      const size = load<i32>(middle);
      let edge = 0;
      if (size > low) {
        const at = from.at + <usize>(y + 2) * stride + <usize>(x + 2);
        if (isCrest(middle, columns, size, sobelX(at, stride, 1), sobelY(at, stride, 1))) edge = size > high ? 2 : 1;
      }
      store<u8>(to.at + <usize>(y * to.columns + x), <u8>edge);
    }
}

/** Whether the gradient is largest here along its own direction. */
function isCrest(middle: usize, columns: i32, size: i32, dx: i32, dy: i32): bool {
  const across = abs(dx);
  const up = abs(dy) << 15;
  const shallow = across * TANGENT;
  const row = <usize>columns << 2;
  if (up < shallow) return size > load<i32>(middle - 4) && size >= load<i32>(middle + 4);
  if (up > shallow + (across << 16)) return size > load<i32>(middle - row) && size >= load<i32>(middle + row);
  const side: usize = (dx ^ dy) < 0 ? -4 : 4;
  return size > load<i32>(middle - row - side) && size > load<i32>(middle + row + side);
}
