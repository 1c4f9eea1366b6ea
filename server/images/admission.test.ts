/** Uploads of images: decoded as they are shown, and refused for what they are. */
import sharp from "sharp";
import { beforeAll, expect, test } from "vitest";
import { draw } from "../../kernels/workloads/image_processing/picture.ts";
import imageWorkload from "../../kernels/workloads/image_processing/workload.ts";
import { MemoryBlobs } from "../blobs/memory.ts";
import type { GridError } from "../transport/grid.ts";
import { ImageAdmission } from "./admission.ts";

const files = new MemoryBlobs();
const { admit } = new ImageAdmission({ files, owns: (_, submitter) => submitter === "ada" });
const [width, height] = [60, 40];
const pixels = draw(width, height, 5);
const image = sharp(pixels, { raw: { width, height, channels: 3 } });
let png: string;
beforeAll(async () => {
  png = await files.put(await image.clone().png().toBuffer());
});

type Payload = { admitted: { width: number; height: number; pixels: string; before: string } };
const take = async (blob: string, operations: unknown[] = [], submitter = "ada") =>
  (await admit(imageWorkload.payload.parse({ image: { blob }, operations }), submitter)).payload as Payload;
const refused = (blob: string, operations?: unknown[], submitter?: string): Promise<GridError> =>
  take(blob, operations, submitter).then(
    () => Promise.reject(new Error("it was taken")),
    (error: GridError) => error,
  );

test("PNG, TIFF and lossless WebP come to the same pixels", async () => {
  for (const encoded of [
    png,
    await files.put(await image.clone().tiff({ compression: "lzw" }).toBuffer()),
    await files.put(await image.clone().webp({ lossless: true }).toBuffer()),
  ]) {
    const { admitted } = await take(encoded);
    expect([admitted.width, admitted.height]).toEqual([width, height]);
    expect(await files.get(admitted.pixels)).toEqual(pixels);
    expect(await files.has(admitted.before)).toBe(true);
  }
});

test("JPEG is turned as its camera says; grey and transparent pictures become RGB; 16 bits become 8", async () => {
  const turned = await take(await files.put(await image.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer()));
  expect([turned.admitted.width, turned.admitted.height]).toEqual([height, width]);
  const grey = await take(await files.put(await image.clone().toColourspace("b-w").png().toBuffer()));
  const values = (await files.get(grey.admitted.pixels)) as Uint8Array;
  expect([values.length, values[0], values[1]]).toEqual([width * height * 3, values[2], values[2]]);
  const clear = sharp({ create: { width: 4, height: 4, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0 } } });
  const { admitted } = await take(await files.put(await clear.png().toBuffer()));
  expect([...((await files.get(admitted.pixels)) as Uint8Array).subarray(0, 3)]).toEqual([255, 255, 255]);
  const deep = await take(await files.put(await image.clone().toColourspace("rgb16").png().toBuffer()));
  expect((await files.get(deep.admitted.pixels))?.length).toBe(width * height * 3);
});

test("what is no image of the four formats is refused, and so is another's upload", async () => {
  const text = await files.put(new TextEncoder().encode("no image"));
  const svg = await files.put(
    new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
  );
  const cut = await files.put(((await files.get(png)) as Uint8Array).subarray(0, 900));
  for (const blob of [text, svg, cut]) {
    const { code, details } = await refused(blob);
    expect([code, details.field]).toEqual(["invalid_payload", "payload.image.blob"]);
  }
  expect((await refused(png, [], "eve")).message).toMatch(/no such upload of yours/);
  expect((await refused("0".repeat(64))).message).toMatch(/is gone/);
});

test("what cannot be cut into tiles is refused with a remedy", async () => {
  const drawn = (operations: unknown[], more = {}) =>
    admit(
      imageWorkload.payload.parse({ image: { drawn: { width: 40_000, height: 4_000 } }, operations, ...more }),
      "ada",
    ).then(
      () => null,
      ({ details }: GridError) => [details.field, details.remedy],
    );
  expect(await drawn([{ op: "resize", width: 100, height: 10, method: "area" }])).toEqual([
    "payload.operations",
    expect.stringMatching(/several jobs/),
  ]);
  const horizon = [
    {
      op: "perspective",
      matrix: [
        [1, 0, 0],
        [0, 1, 0],
        [0.0001, 0, -1],
      ],
    },
  ];
  expect(await drawn(horizon)).toEqual(["payload.operations", expect.stringMatching(/smaller/)]);
  expect(await drawn([{ op: "gaussian_blur", sigma: 20 }])).toBeNull();
});
