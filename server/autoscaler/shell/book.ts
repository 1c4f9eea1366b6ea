/**
 * The ledger in memory, and what of it must be written. A change is made here first and is void until its writes are
 * durable: whoever calls the provider waits for them, and a batch that failed means loading the book anew.
 */
import type { Reason } from "../../../protocol/rest.ts";
import { costs, intentRows, isOpen, moved } from "../ledger.ts";
import type { InstanceRow, LedgerState, OrderRow } from "../model.ts";
import { type DocumentWrite, put, type Records, rooms } from "./records.ts";

/** Rows that ended are kept so long: a late instance is known by them, and the spend of two days is reckoned from them. */
const keptMs = 49 * 3_600_000;
/** Ended rows beyond this are forgotten, the oldest first. */
const endedMax = 10_000;
const pruneMs = 60_000;

export class Book {
  readonly orders = new Map<string, OrderRow>();
  readonly instances = new Map<string, InstanceRow>();
  #writes: DocumentWrite[] = [];
  #prunedMs = 0;

  /** Reads the record. What was being ordered when the last process ended is of unknown outcome. */
  async load(records: Records, nowMs: number): Promise<void> {
    const [orders, instances] = await Promise.all([
      records.documents(rooms.orders),
      records.documents(rooms.instances),
    ]);
    this.orders.clear();
    this.instances.clear();
    this.#writes = [];
    for (const { key, value } of orders) this.orders.set(key, JSON.parse(value) as OrderRow);
    for (const { key, value } of instances) this.instances.set(key, JSON.parse(value) as InstanceRow);
    for (const row of this.instances.values()) {
      if (row.state !== "INTENT" && row.state !== "REQUESTED") continue;
      const message = "The coordinator ended while it was being ordered.";
      this.move(row.id, "UNKNOWN", nowMs, { code: "restart", message });
      const order = this.orders.get(row.order);
      if (order) this.setOrder({ ...order, nextAttemptAtMs: nowMs });
    }
  }

  row(id: string): InstanceRow {
    const row = this.instances.get(id);
    if (!row) throw new Error(`There is no instance ${id} in the ledger.`);
    return row;
  }

  rowsOf(order: string): InstanceRow[] {
    return [...this.instances.values()].filter((row) => row.order === order);
  }

  byCloudId(cloudId: string): InstanceRow | undefined {
    for (const row of this.instances.values()) if (row.cloudId === cloudId) return row;
    return undefined;
  }

  byNode(node: string): InstanceRow | undefined {
    for (const row of this.instances.values()) if (row.node === node && costs(row)) return row;
    return undefined;
  }

  open(order: OrderRow): void {
    this.setOrder(order);
    for (const row of intentRows(order)) this.#set(row);
  }

  setOrder(order: OrderRow): void {
    this.orders.set(order.token, order);
    this.#writes.push(put(rooms.orders, order.token, order));
  }

  /** Throws InvalidMove where the table does not have it. */
  move(id: string, state: LedgerState, nowMs: number, reason: Reason, change: Partial<InstanceRow> = {}): InstanceRow {
    return this.#set(moved(this.row(id), state, nowMs, reason, change));
  }

  /** Changes facts of a row, not its state. */
  note(id: string, change: Partial<Omit<InstanceRow, "id" | "state">>): InstanceRow {
    return this.#set({ ...this.row(id), ...change });
  }

  /** In memory only: a call is under way. After a restart INTENT means the same. */
  requested(order: OrderRow, nowMs: number): void {
    for (const row of this.rowsOf(order.token)) {
      if (!isOpen(row) || row.state === "REQUESTED") continue;
      this.instances.set(row.id, moved(row, "REQUESTED", nowMs, row.reason));
    }
  }

  /** Forgets rows that ended long ago, and orders of which nothing is left; looks once a minute. */
  prune(nowMs: number): void {
    if (Math.abs(nowMs - this.#prunedMs) < pruneMs) return;
    this.#prunedMs = nowMs;
    const ended = [...this.instances.values()].filter((row) => !costs(row)).sort((a, b) => a.stateAtMs - b.stateAtMs);
    const surplus = ended.length - endedMax;
    for (const [index, row] of ended.entries()) {
      if (index >= surplus && nowMs - row.stateAtMs < keptMs) break;
      this.instances.delete(row.id);
      this.#writes.push(put(rooms.instances, row.id, null));
    }
    const living = new Set([...this.instances.values()].map((row) => row.order));
    for (const token of this.orders.keys()) {
      if (living.has(token)) continue;
      this.orders.delete(token);
      this.#writes.push(put(rooms.orders, token, null));
    }
  }

  /** What changed since the last call. */
  takeWrites(): DocumentWrite[] {
    const writes = this.#writes;
    this.#writes = [];
    return writes;
  }

  #set(row: InstanceRow): InstanceRow {
    this.instances.set(row.id, row);
    this.#writes.push(put(rooms.instances, row.id, row));
    return row;
  }
}
