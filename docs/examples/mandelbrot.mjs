/**
 * A deep zoom into the Mandelbrot set, a row a task, written as an image:
 * `node docs/examples/mandelbrot.mjs zoom.pgm 512 1e-9` (file, width and height, size of the window).
 */
import { writeFile } from "node:fs/promises";

const { connect } = await import(process.env.QUEZTL_SDK ?? "./queztl-sdk.mjs");

const source = `
import { text, answerBytes } from "./queztl";

let left: f64 = 0, top: f64 = 0, size: f64 = 0, width: i32 = 0, limit: i32 = 0;

export function init(at: usize, length: i32): void {
  const given = text(at, length).slice(1, -1).split(",");
  left = F64.parseFloat(given[0]);
  top = F64.parseFloat(given[1]);
  size = F64.parseFloat(given[2]);
  width = I32.parseInt(given[3]) as i32;
  limit = I32.parseInt(given[4]) as i32;
}

export function run(at: usize, length: i32): u64 {
  const y = top - (size * I32.parseInt(text(at, length))) / width;
  const row = new Uint8Array(width);
  for (let column = 0; column < width; column++) row[column] = shade(left + (size * column) / width, y);
  return answerBytes(row);
}

/** Steps until the orbit of zero escapes; black where it does not. */
function shade(cx: f64, cy: f64): u8 {
  let x: f64 = 0, y: f64 = 0;
  for (let step = 0; step < limit; step++) {
    const xx = x * x, yy = y * y;
    if (xx + yy > 4) return (55 + (step * 7) % 200) as u8;
    y = 2 * x * y + cy;
    x = xx - yy + cx;
  }
  return 0;
}
`;

const [file = "mandelbrot.pgm", pixels = "512", window = "1e-9"] = process.argv.slice(2);
const width = Number(pixels);
const size = Number(window);
// A spiral in Seahorse Valley.
const centre = { x: -0.743643887037151, y: 0.13182590420533 };

const grid = connect(process.env.QUEZTL_URL ?? "http://localhost:8000", { key: process.env.QUEZTL_KEY });
const image = Buffer.alloc(width * width);
const rows = grid.map(Array(width).keys(), {
  source,
  params: [centre.x - size / 2, centre.y + size / 2, size, width, 2_000],
  output: "binary",
  limits: { output_bytes: width },
  batch: 128,
});
for await (const { index, value } of rows) Buffer.from(value, "base64").copy(image, index * width);
await writeFile(file, Buffer.concat([Buffer.from(`P5\n${width} ${width}\n255\n`), image]));
console.log(`${file}: ${width} by ${width} pixels, ${new Set(image).size} shades.`);
