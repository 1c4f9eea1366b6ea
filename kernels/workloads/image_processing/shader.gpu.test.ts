/** Every operation on a GPU (a software one) against WebAssembly: bit for bit, or off by one where it rounds in floating point. */
import { beforeAll, describe, expect, it } from "vitest";
import { dawnPlace, type GpuPlace } from "../../conformance/places.ts";
import { loadManifest, readKernelFile } from "../../manifest.ts";
import type { GrainRun } from "../../run/grains.ts";
import { slackOf } from "./gpu.ts";
import type { ImagePayload, Operation } from "./payload.ts";
import { draw } from "./picture.ts";
import { type ComputeTiles, onWasm, type Picture, payloadOf, process } from "./testing.ts";
import workload from "./workload.ts";

const pipelines: [name: string, operations: Operation[], slack?: 1][] = [
  ["the picture itself", []],
  ["grey", [{ op: "grey" }]],
  ["hsv", [{ op: "hsv" }]],
  ["lab", [{ op: "lab" }], 1],
  [
    "a narrow and a wide Gaussian",
    [
      { op: "gaussian_blur", sigma: 0.4 },
      { op: "gaussian_blur", sigma: 7 },
    ],
  ],
  [
    "boxes",
    [
      { op: "box_blur", size: 3 },
      { op: "box_blur", size: 31 },
    ],
  ],
  [
    "medians",
    [
      { op: "median", size: 3 },
      { op: "median", size: 11 },
    ],
  ],
  ["bilateral", [{ op: "bilateral", diameter: 9, sigma_color: 40, sigma_space: 4 }]],
  ["bilateral of grey", [{ op: "grey" }, { op: "bilateral", diameter: 15, sigma_color: 400, sigma_space: 90 }]],
  ["unsharp", [{ op: "unsharp", sigma: 1.5, amount: 3.5 }]],
  ["sobel", [{ op: "sobel" }]],
  [
    "sobel in x, then y",
    [
      { op: "sobel", direction: "x" },
      { op: "sobel", direction: "y" },
    ],
  ],
  ["laplacian", [{ op: "laplacian" }]],
  [
    "a kernel with negative and broken weights",
    [
      {
        op: "convolve",
        kernel: [
          [-1.25, 0.5, -3],
          [0.333, 9.1, -2],
          [-1, -0.7, 1.01],
        ],
        offset: -20,
      },
    ],
  ],
  [
    "a wide kernel of large weights",
    [
      {
        op: "convolve",
        kernel: Array.from({ length: 15 }, (_, y) =>
          Array.from({ length: 15 }, (_, x) => ((x * 7 + y * 3) % 11) * 47 - 235.3),
        ),
      },
    ],
  ],
  [
    "erosion and dilation",
    [
      { op: "erode", size: 5 },
      { op: "dilate", size: 9, shape: "ellipse" },
    ],
  ],
  [
    "opening and closing",
    [
      { op: "open", size: 3, shape: "cross" },
      { op: "close", size: 7 },
    ],
  ],
  ["smaller by areas", [{ op: "resize", width: 31, height: 17, method: "area" }]],
  ["larger, bilinear", [{ op: "resize", width: 150, height: 131, method: "bilinear" }]],
  ["wider and lower by Lanczos", [{ op: "resize", width: 140, height: 23 }]],
  ["rotated", [{ op: "rotate", degrees: 33 }]],
  [
    "an affine map into another size",
    [
      {
        op: "affine",
        matrix: [
          [1.2, -0.3, 5],
          [0.4, 0.8, -9.5],
        ],
        width: 60,
        height: 90,
      },
    ],
  ],
  [
    "a perspective",
    [
      {
        op: "perspective",
        matrix: [
          [1.1, 0.1, -4],
          [0.05, 0.9, 3],
          [0.0008, 0.0005, 1],
        ],
      },
    ],
  ],
  ["equalised", [{ op: "grey" }, { op: "equalize" }]],
  ["Otsu after a blur", [{ op: "grey" }, { op: "gaussian_blur", sigma: 1 }, { op: "threshold", method: "otsu" }]],
  ["CLAHE", [{ op: "grey" }, { op: "clahe", clip_limit: 3, grid: 3 }], 1],
  [
    "CLAHE of an even grid",
    [{ op: "grey" }, { op: "resize", width: 64, height: 64, method: "area" }, { op: "clahe" }],
    1,
  ],
  [
    "two tables",
    [
      { op: "grey" },
      { op: "equalize" },
      { op: "threshold", method: "binary", value: 90 },
      { op: "box_blur", size: 3 },
      { op: "threshold", method: "otsu" },
    ],
  ],
  ["adaptive threshold", [{ op: "grey" }, { op: "threshold", method: "adaptive", size: 11, c: 3 }]],
  ["Canny", [{ op: "grey" }, { op: "gaussian_blur", sigma: 1.4 }, { op: "canny", low: 60, high: 160 }]],
  ["non-local means", [{ op: "denoise", strength: 12, patch: 3, search: 7 }]],
  ["non-local means of grey", [{ op: "grey" }, { op: "denoise", strength: 30, patch: 5, search: 5 }]],
];

const [width, height] = [83, 57];
const sent = {
  width,
  height,
  channels: 3,
  pixels: draw(width, height, 5).map((value, at) => (value * 3 + at * at) & 255),
};

const sha256 = loadManifest().image_processing?.files.wgsl?.sha256 as string;
const shader = new TextDecoder().decode(readKernelFile("wgsl", sha256));

/** Gathers what several pipelines ask for at a time: the software driver takes seconds to compile the shader. */
function gathering(place: GpuPlace, pipelinesAtWork: () => number): ComputeTiles {
  let waiting: { tiles: readonly GrainRun[]; done(partials: Uint8Array[]): void; failed(error: unknown): void }[] = [];
  const runAll = async (): Promise<void> => {
    const asked = waiting;
    waiting = [];
    const tiles = asked.flatMap((one) => one.tiles);
    const runs = tiles.map((tile) => ({ ...tile, files: { wgsl: { sha256: "shader", bytes: shader.length } } }));
    const report = await place.run({ shaders: { shader }, runs, abortAfterMs: null });
    let at = 0;
    for (const { tiles: own, done, failed } of asked) {
      const outcomes = report.ok ? report.outcomes.slice(at, at + own.length) : [];
      at += own.length;
      const fault = report.ok ? outcomes.find(({ ok }) => !ok) : report;
      if (fault) failed(new Error(JSON.stringify(fault)));
      else done(outcomes.map((outcome) => new Uint8Array((outcome as { partials: Uint8Array[] }).partials[0] ?? [])));
    }
  };
  const look = (): void => {
    if (waiting.length >= pipelinesAtWork()) void runAll();
    else setTimeout(look, 20);
  };
  return (tiles) =>
    new Promise((done, failed) => {
      waiting.push({ tiles, done, failed });
      if (waiting.length === 1) setTimeout(look, 20);
    });
}

describe("images on a GPU", () => {
  const drawn = { drawn: { width: 50, height: 40, seed: 2 ** 32 - 5 } };
  const payloads = new Map(pipelines.map(([name, operations]) => [name, payloadOf(sent, operations, 64)] as const));
  const small = workload.payload.parse({ image: drawn, operations: [{ op: "median", size: 3 }], tile: 16 });
  payloads.set("a drawn picture in tiles of 16", small);
  const made = new Map<string, Picture | Error>();
  let why = "";

  beforeAll(async () => {
    const place = await dawnPlace().catch((error: Error) => {
      why = error.message;
      return null;
    });
    if (!place) return;
    let atWork = payloads.size;
    const onGpu = gathering(place, () => atWork);
    const work = [...payloads].map(async ([name, payload]) => {
      const picture = await process(payload, sent, onGpu).catch((error: Error) => error);
      atWork--;
      made.set(name, picture);
    });
    await Promise.all(work);
    await place.close();
  }, 240_000);

  it.each([...payloads.keys()])("%s", async (name) => {
    if (why !== "") return expect(why).toContain("driver");
    const payload = payloads.get(name) as ImagePayload;
    const slack = pipelines.find(([other]) => other === name)?.[2] ?? 0;
    expect(slackOf(payload)).toBe(slack);
    const [due, found] = [await process(payload, sent, onWasm()), made.get(name) as Picture];
    if (found instanceof Error) throw found;
    expect([found.width, found.height, found.channels]).toEqual([due.width, due.height, due.channels]);
    const off = found.pixels.map((value, at) => Math.abs(value - (due.pixels[at] as number)));
    expect(Math.max(...off)).toBeLessThanOrEqual(slack);
  });

  it("leaves to CPUs what would make more of a difference of one", () => {
    const payload = payloadOf(sent, [{ op: "grey" }, { op: "clahe" }, { op: "threshold", method: "otsu" }]);
    expect(slackOf(payload)).toBeNull();
    expect(workload.plan(payload).needs.backends).toEqual(["wasm"]);
  });
});
