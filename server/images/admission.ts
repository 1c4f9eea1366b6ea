/**
 * Takes in image jobs: an upload is decoded once, by sharp away from the event loop, into raw pixels that leases are cut
 * from; and what a tile cannot be cut from is refused.
 */
import type { Sharp } from "sharp";
import { loadSharp, preview } from "../../kernels/workloads/image_processing/encode.ts";
import { partsOf } from "../../kernels/workloads/image_processing/parts.ts";
import { type ImagePayload, isDrawn, PIXELS_MAX } from "../../kernels/workloads/image_processing/payload.ts";
import { cutOf, windowBytesMax } from "../../kernels/workloads/image_processing/regions.ts";
import { type Blobs, pieces } from "../blobs/blobs.ts";
import type { Admission } from "../shell/acceptance.ts";
import { GridError } from "../transport/grid.ts";

export interface ImagePorts {
  files: Blobs;
  owns(blob: string, submitter: string): boolean;
}

type Admitted = NonNullable<ImagePayload["admitted"]>;

/** What libvips reads of strangers: SVG and PDF, which may name other files, are left out. */
const formats = ["png", "jpeg", "webp", "tiff"];
/** Decoding takes three bytes a pixel: one at a time. */
const waitingMax = 64;
const knownMax = 256;

export class ImageAdmission {
  readonly #known = new Map<string, Admitted>();
  #line: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(private readonly ports: ImagePorts) {}

  readonly admit: Admission = async (given, submitter) => {
    const payload = given as ImagePayload;
    if (payload.admitted || payload.admitted_each)
      throw refusal("admitted", "admitted is not for submitters.", "Leave it out: the coordinator sets it.");
    const admitted = await this.#admitted(payload, submitter);
    for (const part of partsOf(admitted)) assertCuttable(part);
    return { payload: admitted };
  };

  async #admitted(payload: ImagePayload, submitter: string): Promise<ImagePayload> {
    const { image } = payload;
    if (isDrawn(payload)) return payload;
    if ("blob" in image) return { ...payload, admitted: await this.#decoded(image.blob, submitter) };
    const admitted_each: Admitted[] = [];
    let pixels = 0;
    for (const blob of (image as { blobs: string[] }).blobs) {
      const one = await this.#decoded(blob, submitter);
      pixels += one.width * one.height;
      if (pixels > PIXELS_MAX) {
        throw refusal(
          "image.blobs",
          `Together they have more than ${PIXELS_MAX} pixels.`,
          "Submit them in several jobs.",
        );
      }
      admitted_each.push(one);
    }
    return { ...payload, admitted_each };
  }

  async #decoded(blob: string, submitter: string): Promise<Admitted> {
    if (!this.ports.owns(blob, submitter)) {
      throw refusal("image.blob", "There is no such upload of yours.", "Upload it first: POST /api/v1.2/blobs.");
    }
    const known = this.#known.get(blob);
    if (known && (await this.ports.files.has(known.pixels)) && (await this.ports.files.has(known.before))) return known;
    if (this.#waiting >= waitingMax) {
      throw new GridError("overloaded", `${waitingMax} images wait to be decoded.`, { retryAfterSeconds: 10 });
    }
    this.#waiting++;
    const turn = this.#line.then(() => this.#decode(blob));
    this.#line = turn.catch(() => {});
    try {
      const made = await turn;
      this.#known.set(blob, made);
      if (this.#known.size > knownMax) this.#known.delete(this.#known.keys().next().value as string);
      return made;
    } finally {
      this.#waiting--;
    }
  }

  async #decode(blob: string): Promise<Admitted> {
    const bytes = await this.ports.files.get(blob);
    if (!bytes) throw refusal("image.blob", "The upload is gone: it was not used for long.", "Upload it again.");
    const { data, info } = await decode(bytes);
    const size = { width: info.width, height: info.height, channels: 3 };
    const pixels = await this.ports.files.putStream(pieces(data), { bytesMax: data.length });
    const before = await preview(data, size);
    const small = await this.ports.files.put(before);
    return {
      width: info.width,
      height: info.height,
      pixels: pixels.sha256,
      before: small,
      before_bytes: before.length,
    };
  }
}

async function decode(bytes: Uint8Array): Promise<{ data: Uint8Array; info: { width: number; height: number } }> {
  let image: Sharp;
  try {
    image = loadSharp()(bytes, { limitInputPixels: PIXELS_MAX, sequentialRead: true, failOn: "error" });
  } catch (cause) {
    throw new GridError("storage_unavailable", (cause as Error).message, {}, { cause });
  }
  try {
    const { format } = await image.metadata();
    if (!formats.includes(format)) throw new Error(`${format} is not among ${formats.join(", ")}`);
    const raw = image.autoOrient().flatten({ background: "#ffffff" }).toColourspace("srgb").raw({ depth: "uchar" });
    const { data, info } = await raw.toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`it has ${info.channels} channels after decoding`);
    return { data, info };
  } catch (cause) {
    const text = (cause as Error).message.replaceAll(/\s+/g, " ").slice(0, 200);
    throw refusal(
      "image.blob",
      `The upload cannot be decoded: ${text}.`,
      `Send PNG, JPEG, WebP or TIFF of at most ${PIXELS_MAX} pixels.`,
    );
  }
}

function assertCuttable(payload: ImagePayload): void {
  const { tooLarge, horizon, windowBytes, edge } = cutOf(payload);
  if (horizon) {
    throw refusal(
      "operations",
      "The horizon of the perspective crosses the output.",
      "Make the output smaller, so that it lies on one side.",
    );
  }
  if (!tooLarge) return;
  throw refusal(
    "operations",
    `A tile of ${edge} x ${edge} pixels needs ${windowBytes} bytes of the image, at most ${windowBytesMax}.`,
    payload.tile === undefined
      ? "Make it smaller in several jobs, each by a factor of at most 16, or use smaller windows."
      : "Leave tile out, or make it smaller.",
  );
}

const refusal = (field: string, message: string, remedy: string): GridError =>
  new GridError("invalid_payload", message, { field: `payload.${field}`, remedy });
