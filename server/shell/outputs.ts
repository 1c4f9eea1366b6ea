/** What judges made, kept before it is told of: outputs, files, the inputs of next rounds. */
import { limits } from "../../protocol/limits.ts";
import { type Blobs, pieces } from "../blobs/blobs.ts";
import type { JudgeAnswer } from "../judge/index.ts";
import { GridError } from "../transport/grid.ts";
import type { CoreLoop } from "./loop.ts";

export interface OutputPorts {
  /** What nodes fetch. */
  blobs: Blobs;
  /** What is of its owner alone. */
  files: Blobs;
  log(code: string, message: string): void;
}

export class Outputs {
  constructor(private readonly ports: OutputPorts) {}

  /** Large outputs are blobs, durable before the job's end is. */
  async finished(loop: CoreLoop, answer: Extract<JudgeAnswer, { type: "finished" }>): Promise<void> {
    const { output, files, ...made } = answer;
    for (const { bytes } of files) if ((await this.#keep(loop, bytes, this.ports.files)) === null) return;
    if (output.length <= limits.inlineBytesMax) {
      loop.dispatch({ ...made, output, outputBlob: null });
      return;
    }
    const outputBlob = await this.#keep(loop, new TextEncoder().encode(output), this.ports.files);
    if (outputBlob !== null) loop.dispatch({ ...made, output: null, outputBlob });
  }

  async next(loop: CoreLoop, answer: Extract<JudgeAnswer, { type: "next" }>): Promise<void> {
    const { next } = answer;
    const input = next.input ? await this.#keep(loop, next.input, this.ports.blobs) : null;
    if (input !== null || !next.input) loop.dispatch({ ...answer, input });
  }

  /** Tries until the bytes are durable. Null when the core was dropped meanwhile: the next one asks the judge again. */
  async #keep(loop: CoreLoop, bytes: Uint8Array, where: Blobs): Promise<string | null> {
    for (let waitMs = 250; !loop.isDead; waitMs = Math.min(10_000, waitMs * 2)) {
      try {
        const { sha256 } = await where.putStream(pieces(bytes), { bytesMax: bytes.length });
        return sha256;
      } catch (cause) {
        this.ports.log("storage_failed", `An output of ${bytes.length} bytes cannot be stored: ${String(cause)}`);
        await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
      }
    }
    return null;
  }
}

/** A job's output as JSON, from its record or its file; null where it has none. Throws GridError where the file is gone. */
export async function readOutput(
  { output, outputBlob }: { output: string | null; outputBlob: string | null },
  { blobs, files = blobs }: { blobs: Blobs; files?: Blobs },
): Promise<unknown> {
  if (output !== null) return JSON.parse(output);
  if (outputBlob === null) return null;
  const bytes = (await files.get(outputBlob)) ?? (await blobs.get(outputBlob));
  if (bytes) return JSON.parse(new TextDecoder().decode(bytes));
  throw new GridError("result_gone", "The result was kept as a file, and was deleted after nobody used it for long.", {
    remedy: "Submit the job again; --keep-files-days says how long files are kept.",
  });
}
