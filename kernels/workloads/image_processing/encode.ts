/** Pictures as files, by sharp (libvips), which is loaded when it is needed. */
import { createRequire } from "node:module";
import type { OutputFile } from "../../contract.ts";
import type { ImagePayload, Size } from "./payload.ts";

type Sharp = typeof import("sharp").default;

/** Longest side of a preview. */
export const previewSide = 1_280;

/** Throws an Error with the remedy where sharp is not installed. */
export function loadSharp(): Sharp {
  try {
    return createRequire(import.meta.url)("sharp") as Sharp;
  } catch (cause) {
    throw new Error('Pictures need the package sharp: run "npm install sharp" where the coordinator is.', { cause });
  }
}

const raw = ({ width, height, channels }: Size) => ({ width, height, channels: channels as 1 | 3 });

export async function preview(pixels: Uint8Array, size: Size): Promise<Uint8Array> {
  const image = loadSharp()(pixels, { raw: raw(size), limitInputPixels: false });
  const smaller = image.resize({ width: previewSide, height: previewSide, fit: "inside", withoutEnlargement: true });
  return Uint8Array.from(await smaller.webp({ quality: 85 }).toBuffer());
}

export async function encode(payload: ImagePayload, pixels: Uint8Array, size: Size): Promise<OutputFile> {
  const { format = "png", quality = 90 } = payload.output ?? {};
  const image = loadSharp()(pixels, { raw: raw(size), limitInputPixels: false });
  // Grey stays one channel.
  if (size.channels === 1) image.toColourspace("b-w");
  const encoded = format === "png" ? image.png({ compressionLevel: 6 }) : image.toFormat(format, { quality });
  const bytes = Uint8Array.from(await encoded.toBuffer());
  return { name: `image.${format === "jpeg" ? "jpg" : format}`, mediaType: `image/${format}`, bytes };
}
