/** Receipts as the HTTP side asks for them. */
import { orRefusal, type ReadableStore } from "../shell/readable.ts";
import type { LedgerReader } from "../store/ledger.ts";
import { GridError } from "../transport/grid.ts";
import type { GridReceipts } from "../transport/ledger.ts";
import { type Receipts, ReceiptTooLarge } from "./receipts.ts";

export function gridReceipts(
  receipts: Receipts,
  record: Pick<ReadableStore, "job">,
  ledger: LedgerReader,
  coordinator: string,
): GridReceipts {
  return {
    async key() {
      const head = await orRefusal(ledger.lastReceipt());
      return {
        coordinator,
        public_key: receipts.publicKey,
        head: head && { sequence: head.sequence, hash: head.hash },
      };
    },
    async receipt(id, at) {
      const job = await record.job(id);
      if (job?.state !== "completed") return null;
      try {
        return await orRefusal(at ? receipts.extract(job, at.round, at.grain) : receipts.of(job));
      } catch (cause) {
        if (!(cause instanceof ReceiptTooLarge)) throw cause;
        const remedy = "Submit such work in several jobs.";
        throw new GridError("receipt_too_large", cause.message, { remedy }, { cause });
      }
    },
    async grain(id, round, grain) {
      const job = await record.job(id);
      return job && orRefusal(receipts.grain(job, round, grain));
    },
    async chain(after, limit) {
      const links = await orRefusal(ledger.receipts(after, limit));
      return links.map(({ issuedAtMs, ...link }) => ({ ...link, issued_at: new Date(issuedAtMs).toISOString() }));
    },
  };
}
