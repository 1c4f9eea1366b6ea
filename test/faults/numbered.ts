/** What a numbered batch of `writer.ts` holds, and what of it a database still has. */
import { SqliteStore } from "../../server/store/sqlite.ts";

export const batchResults = 5;
/** Partials of a batch's first result: more than fits a page. */
export const largeBytes = 9_000;

/** The batches that are whole among `0..count`. Throws for one that is there in part, or with other bytes. */
export async function wholeBatches(file: string, count: number): Promise<Set<number>> {
  const store = new SqliteStore({ file });
  const found = new Set<number>();
  try {
    await store.open("reader");
    for (let number = 0; number < count; number++) {
      const results = await store.results("j", number);
      if (results.length === 0) continue;
      if (results.length !== batchResults) throw new Error(`Of batch ${number}, ${results.length} results are there.`);
      const partials = await store.partials(results.map(({ id }) => id));
      if (!partials.every((bytes, index) => isAsWritten(bytes, number, index))) {
        throw new Error(`Batch ${number} has other bytes than were written.`);
      }
      found.add(number);
    }
  } finally {
    await store.close();
  }
  return found;
}

function isAsWritten(bytes: Uint8Array, number: number, index: number): boolean {
  return bytes.length === (index === 0 ? largeBytes : 100) && bytes.every((byte) => byte === (number & 255));
}
