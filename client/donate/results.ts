/** Results that the coordinator has not acknowledged yet, kept in IndexedDB across reloads and crashes. */
import type { StoragePort } from "../../agent/ports.ts";
import { limits } from "../../protocol/limits.ts";
import { inTransaction } from "./idb.ts";

type KeptResult = Awaited<ReturnType<StoragePort["load"]>>[number];

/** First part of their keys, which are [identity, seq]: a browser has one identity at an address. */
const identity = 0;

export function resultStorage(database: IDBDatabase): StoragePort {
  return {
    async load() {
      const range = IDBKeyRange.bound([identity, 0], [identity, Number.MAX_SAFE_INTEGER]);
      const found = await inTransaction(
        database,
        "results",
        "readonly",
        (store) => store.getAll(range, limits.unacknowledgedResultsMax) as IDBRequest<KeptResult[]>,
      );
      return found ?? [];
    },
    async keep(result) {
      await inTransaction(database, "results", "readwrite", (store) => store.put(result, [identity, result.seq]));
    },
    async forget(seqs) {
      if (seqs.length === 0) return;
      await inTransaction(database, "results", "readwrite", (store) => {
        for (const seq of seqs) store.delete([identity, seq]);
        return null;
      });
    },
  };
}
