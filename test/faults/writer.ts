/**
 * A process over the real store that commits numbered batches and prints each number once its commit resolved.
 * Arguments: database file, FULL or OFF, first number. A batch is a run of results; its number is their round.
 * After a failed commit it says how it failed, opens the store again, says which numbers it finds, and goes on.
 */
import { writeSync } from "node:fs";
import { aJob, anExtent, aResult } from "../../server/store/fixtures.ts";
import { SqliteStore } from "../../server/store/sqlite.ts";
import { StoreError, type Write } from "../../server/store/store.ts";
import { batchResults, largeBytes } from "./numbered.ts";

const [file, synchronous, first] = process.argv.slice(2) as [string, "FULL" | "OFF", string];
const store = new SqliteStore({ file, synchronous });
let { epoch, lastResultId, counts } = await store.open("writer");

/** Straight to the pipe: what was printed before a SIGKILL has been said. */
const say = (text: string): void => {
  writeSync(1, `${text}\n`);
};

if (counts.queued === 0) await store.commit([{ type: "job.insert", job: aJob({ id: "j" }) }]);
say("ready");

function batch(number: number): Write[] {
  const extent = anExtent({ job: "j", round: number, hi: batchResults, epoch });
  return [
    { type: "extent.claim", extent },
    ...Array.from({ length: batchResults }, (_, index): Write => {
      const size = index === 0 ? largeBytes : 100;
      const result = aResult({ id: lastResultId + index + 1, round: number, lo: index, hi: index + 1 });
      return { type: "result.insert", epoch, result, partials: new Uint8Array(size).fill(number & 255) };
    }),
  ];
}

for (let number = Number(first); ; number++) {
  try {
    await store.commit(batch(number));
    lastResultId += batchResults;
    say(`done ${number}`);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    say(`failed ${number} ${error.code}`);
    if (error.code === "unknown") {
      const again = await store.commit(batch(number)).then(
        () => "committed",
        (second: StoreError) => second.code,
      );
      say(`again ${again}`);
      ({ epoch, lastResultId } = await store.open("writer"));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
