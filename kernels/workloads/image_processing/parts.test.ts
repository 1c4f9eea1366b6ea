/** Several images in one job come to what each comes to alone. */
import { describe, expect, it } from "vitest";
import host from "./host.ts";
import { placeOf, tilesIn } from "./parts.ts";
import type { Operation } from "./payload.ts";
import { draw } from "./picture.ts";
import { type Picture, payloadOf, payloadOfEach, process, processEach } from "./testing.ts";
import workload from "./workload.ts";

const pictures: Picture[] = (
  [
    [150, 90, 1],
    [40, 200, 2],
    [7, 5, 3],
  ] as const
).map(([width, height, seed]) => ({ width, height, channels: 3, pixels: draw(width, height, seed) }));

describe("several images", () => {
  it.each<[string, Operation[]]>([
    ["a filter", [{ op: "gaussian_blur", sigma: 2 }]],
    ["their own sizes", [{ op: "rotate", degrees: 20 }]],
    [
      "what is known of the whole",
      [{ op: "grey" }, { op: "equalize" }, { op: "box_blur", size: 3 }, { op: "threshold", method: "otsu" }],
    ],
    ["cells of each", [{ op: "grey" }, { op: "clahe", grid: 2 }]],
    ["edges", [{ op: "grey" }, { op: "canny", low: 50, high: 120 }]],
  ])("come to the same as each alone: %s", async (_name, operations) => {
    const together = await processEach(payloadOfEach(pictures, operations), pictures);
    const alone = await Promise.all(pictures.map((picture) => process(payloadOf(picture, operations), picture)));
    expect(together).toEqual(alone);
  });

  it("have their tiles one after the other", () => {
    const payload = payloadOfEach(pictures, []);
    expect([tilesIn(payload, 0), workload.plan(payload).tasks]).toEqual([5, 5]);
    const places = [0, 1, 2, 3, 4].map((tile) => placeOf(payload, 0, tile));
    expect(places.map(({ image, tile }) => [image, tile])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
      [2, 0],
    ]);
    expect(() => placeOf(payload, 0, 5)).toThrow(RangeError);
    expect(workload.plan(payload).needs.backends).toEqual(["wasm"]);
  });

  it("have files each, numbered", async () => {
    const payload = payloadOfEach(pictures, [{ op: "grey" }]);
    const small = pictures.map(({ width, height }) => ({ width, height, channels: 1 }));
    const tiles = Array.from({ length: 5 }, (_, tile) => {
      const { image, part, tile: own } = placeOf(payload, 0, tile);
      const { x0, y0, x1, y1 } = workload.task(payload, 0, tile);
      const [width, height] = [x1 - x0, y1 - y0];
      expect([part.image, own >= 0]).toEqual([{ blob: "0".repeat(64) }, true]);
      const head = new Uint8Array(12 + width * height);
      const view = new DataView(head.buffer);
      view.setUint32(0, tile, true);
      view.setUint8(5, 1);
      view.setUint16(6, width, true);
      view.setUint16(8, height, true);
      view.setUint16(10, image, true);
      return host.decode(payload, head);
    });
    for (const [lo, tile] of tiles.entries()) expect(host.check?.(payload, 0, lo, lo + 1, tile)).toBeNull();
    const merged = tiles.reduce((a, b) => host.merge(a, b));
    expect(host.finish(payload, merged)).toMatchObject({ tiles: 5, images: small, width: 150 });
    const files = (await host.files?.(payload, merged)) ?? [];
    expect(files.map(({ name }) => name)).toEqual(
      [1, 2, 3].flatMap((at) => [`image-${at}.png`, `before-${at}.webp`, `after-${at}.webp`]),
    );
  });
});
