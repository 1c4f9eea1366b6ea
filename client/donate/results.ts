/** Results that the coordinator has not acknowledged yet, kept in IndexedDB across reloads and crashes. */
import type { StoragePort } from "../../agent/ports.ts";
import { limits } from "../../protocol/limits.ts";
import { inTransaction } from "./idb.ts";

type KeptResult = Awaited<ReturnType<StoragePort["load"]>>[number];

/** Results of one lane have keys [lane, seq]. */
export function resultStorage(database: IDBDatabase, lane: number): StoragePort {
  return {
    async load() {
      const range = IDBKeyRange.bound([lane, 0], [lane, Number.MAX_SAFE_INTEGER]);
      const found = await inTransaction(
        database,
        "results",
        "readonly",
        (store) => store.getAll(range, limits.unacknowledgedResultsMax) as IDBRequest<KeptResult[]>,
      );
      return found ?? [];
    },
    async keep(result) {
      await inTransaction(database, "results", "readwrite", (store) => store.put(result, [lane, result.seq]));
    },
    async forget(seqs) {
      if (seqs.length === 0) return;
      await inTransaction(database, "results", "readwrite", (store) => {
        for (const seq of seqs) store.delete([lane, seq]);
        return null;
      });
    },
  };
}
