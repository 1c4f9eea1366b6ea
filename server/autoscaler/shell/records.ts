/** Where the autoscaler keeps what must outlive the coordinator: small texts by room, each batch durable or not at all. */
import type { Write } from "../../store/store.ts";

export interface Records {
  documents(room: string): Promise<{ key: string; value: string }[]>;
  /** Resolves when all of it is durable; rejects when none is, or when that is not known. In the order of the calls. */
  written(writes: readonly DocumentWrite[]): Promise<void>;
}

export type DocumentWrite = Extract<Write, { type: "document.put" }>;

export const rooms = {
  orders: "scaler.orders",
  instances: "scaler.instances",
  state: "scaler.state",
  days: "scaler.days",
  log: "scaler.log",
  history: "scaler.history",
} as const;

export const put = (room: string, key: string, value: unknown): DocumentWrite => ({
  type: "document.put",
  room,
  key,
  value: value === null ? null : JSON.stringify(value),
});
