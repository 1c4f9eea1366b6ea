/** The little of IndexedDB that a node needs: one database, named stores, promises. */

const databaseName = "queztl";
const version = 1;
export type StoreName = "identities" | "results";

export function openDatabase(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(databaseName, version);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("identities");
      request.result.createObjectStore("results");
    };
    request.onsuccess = () => {
      // Another tab with a newer version of this page must be able to upgrade.
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error ?? new Error("the browser refused to open its storage"));
    request.onblocked = () => reject(new Error("another tab with an older version of this page holds the storage"));
  });
}

/** Runs `work` in one transaction; resolves with its request's result once the transaction is complete. */
export function inTransaction<T>(
  database: IDBDatabase,
  store: StoreName,
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<T> | null,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode);
    const request = work(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = () => reject(transaction.error ?? new Error("the browser's storage gave up"));
    transaction.onerror = () => reject(transaction.error ?? new Error("the browser's storage failed"));
  });
}
