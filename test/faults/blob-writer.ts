/** A process that puts blobs, several at a time, and prints each name once its put resolved. Argument: the folder. */
import { writeSync } from "node:fs";
import { FilesystemBlobs } from "../../server/blobs/filesystem.ts";

const blobs = new FilesystemBlobs(process.argv[2] as string);
const lanes = 4;
const sizeMax = 50_000;

async function lane(lane: number): Promise<void> {
  for (let number = lane; ; number += lanes) {
    // Lanes put the same bytes now and then.
    const bytes = new Uint8Array((number * 7_919) % sizeMax).fill(number & 31);
    try {
      writeSync(1, `done ${await blobs.put(bytes)}\n`);
    } catch (error) {
      writeSync(1, `failed ${(error as NodeJS.ErrnoException).code}\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
