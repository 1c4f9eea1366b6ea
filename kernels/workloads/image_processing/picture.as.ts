/** A picture to try filters on, made from its seed: a slope, rings with sharp edges, and noise. `picture.ts` is its twin. */
import { mix } from "../../assembly/entries";
import { Window } from "./window.as";

export function draw(to: Window, seed: u32): void {
  for (let y = to.y0; y < to.y1; y++) {
    let out = to.row(y);
    for (let x = to.x0; x < to.x1; x++)
      for (let c = 0; c < to.channels; c++, out++) store<u8>(out, pixel(<u32>x, <u32>y, <u32>c, seed, <u32>to.width, <u32>to.height));
  }
}

function pixel(x: u32, y: u32, c: u32, seed: u32, width: u32, height: u32): u8 {
  const slope = c == 1 ? (y * 160) / height : (x * 160) / width;
  const dx = <i32>(2 * x) - <i32>width;
  const dy = <i32>(2 * y) - <i32>height;
  const ring = (<u32>(dx * dx + dy * dy) >> (8 + c)) & 64;
  const noise = mix(mix(mix(seed + c) + x) + y) & 31;
  return <u8>(slope + ring + noise);
}
