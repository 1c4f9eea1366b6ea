/** Turns actions into moves of the ledger and calls to the provider, and what the calls came to into moves again. */
import type { Reason } from "../../../protocol/rest.ts";
import type { Clock } from "../clock.ts";
import {
  type Boot,
  CloudError,
  type CloudProvider,
  callMsMax,
  type Launched,
  type LaunchReply,
  type Offering,
} from "../cloud/provider.ts";
import { isOpen } from "../ledger.ts";
import { learn, type ScalerMemory } from "../memory.ts";
import type { Action, Decision, InstanceRow, OrderRow } from "../model.ts";
import type { Settings } from "../settings.ts";
import type { Book } from "./book.ts";
import { inTime } from "./in-time.ts";

export interface CallsOptions {
  provider: CloudProvider;
  clock: Clock;
  cluster: string;
  settings: Settings;
  book: Book;
  memory: ScalerMemory;
  boot(order: OrderRow): Boot;
  /** Makes the book's changes durable. */
  commit(): Promise<void>;
  /** The node gets work, or no more of it. */
  serve(node: string, serves: boolean): void;
  /** A call came to something: the next decision may be another. */
  settled(): void;
  log(code: string, message: string): void;
}

/** Ids of one call. */
const terminateMax = 50;
const retryMsMin = 1_000;
const retryMsMax = 60_000;
const endAgainMs = 10_000;
const endAgainMsMax = 300_000;
/** Ends that may be undone where the provider refuses them: only for want of work. */
const undoable = new Set(["surplus", "manual_down"]);

type Launch = Extract<Action, { type: "launch" }>;

export class Calls {
  readonly #running = new Set<Promise<void>>();

  constructor(private readonly options: CallsOptions) {}

  /** Changes the book as decided. What is returned is to be called once that is durable. */
  apply(decision: Decision, orderOf: (launch: Launch) => OrderRow): (() => void)[] {
    const calls: (() => void)[] = [];
    const ending: string[] = [];
    for (const action of decision.actions) this.#applyOne(action, decision.atMs, orderOf, calls, ending);
    for (let at = 0; at < ending.length; at += terminateMax) {
      const ids = ending.slice(at, at + terminateMax);
      calls.push(() => this.#run(this.#terminate(ids)));
    }
    return calls;
  }

  async settled(): Promise<void> {
    await Promise.allSettled([...this.#running]);
  }

  /** An identity joined as this instance. */
  joined(row: InstanceRow, node: string, cloudId: string | null): void {
    const { book, clock } = this.options;
    const nowMs = clock.now();
    if (row.node !== node) book.note(row.id, { node });
    const state = book.row(row.id).state;
    if ((isOpen(row) || state === "FAILED") && cloudId !== null) {
      const message = "Its worker joined before the provider's answer came.";
      book.move(row.id, "LAUNCHED", nowMs, { code: "joined", message }, { cloudId, launchedAtMs: row.createdAtMs });
    }
    this.#register(row.id);
    // The core learns of the node in this turn, and of its retirement after it.
    if (book.row(row.id).state !== "REGISTERED") clock.after(0, () => this.options.serve(node, false));
  }

  #applyOne(
    action: Action,
    nowMs: number,
    orderOf: (launch: Launch) => OrderRow,
    calls: (() => void)[],
    ending: string[],
  ): void {
    const { book, serve } = this.options;
    switch (action.type) {
      case "launch": {
        const order = orderOf(action);
        book.open({ ...order, nextAttemptAtMs: nowMs + callMsMax + retryMsMin });
        calls.push(() => this.#run(this.#launch(order.token, false)));
        return;
      }
      case "replay": {
        const order = book.orders.get(action.order);
        if (!order) return;
        book.setOrder({ ...order, attempts: order.attempts + 1, nextAttemptAtMs: nowMs + callMsMax + retryMsMin });
        calls.push(() => this.#run(this.#launch(order.token, true)));
        return;
      }
      case "drain": {
        const row = book.move(action.instance, "DRAINING", nowMs, action.reason, { drainUntilMs: action.untilMs });
        if (row.node !== null) serve(row.node, false);
        return;
      }
      case "undrain": {
        const row = book.move(action.instance, "REGISTERED", nowMs, action.reason, { drainUntilMs: null });
        if (row.node !== null) serve(row.node, true);
        return;
      }
      case "terminate":
        this.#ending(action.instance, nowMs, action.reason, ending);
        return;
      case "sweep":
        this.options.log("orphan", `${action.cloudId} is ended: ${action.reason.message}`);
        ending.push(action.cloudId);
        return;
      case "adopt": {
        const { cloudId, launchedAtMs } = action;
        const offering = this.#offeringOf(book.row(action.instance), action.offering);
        book.move(action.instance, "LAUNCHED", nowMs, action.reason, { cloudId, launchedAtMs, offering, misses: 0 });
        if (book.row(action.instance).node !== null) this.#register(action.instance);
        return;
      }
      case "abandon":
        book.move(action.instance, "FAILED", nowMs, action.reason);
        return;
      case "gone":
        book.move(action.instance, "GONE", nowMs, action.reason, { goneAtMs: nowMs });
        return;
      case "missed":
        book.note(action.instance, { misses: action.misses });
        return;
      default:
        action satisfies never;
    }
  }

  #ending(id: string, nowMs: number, reason: Reason, ending: string[]): void {
    const { book, serve } = this.options;
    const row = book.row(id);
    if (row.cloudId === null) return;
    const terminations = row.terminations + 1;
    const againMs = Math.min(endAgainMsMax, endAgainMs * 2 ** Math.min(10, row.terminations));
    const change = { terminations, nextTerminationAtMs: nowMs + againMs };
    if (row.state === "TERMINATING") book.note(id, change);
    else book.move(id, "TERMINATING", nowMs, reason, { ...change, misses: 0 });
    if (row.node !== null) serve(row.node, false);
    ending.push(row.cloudId);
  }

  #run(call: Promise<void>): void {
    const running = call.catch((error: unknown) => {
      this.options.log("scaler_call", error instanceof Error ? error.message : String(error));
    });
    this.#running.add(running);
    void running.then(() => {
      this.#running.delete(running);
      this.options.settled();
    });
  }

  async #launch(token: string, again: boolean): Promise<void> {
    const { book, provider, clock, cluster, boot, commit } = this.options;
    const order = book.orders.get(token);
    if (!order) return;
    book.requested(order, clock.now());
    const { offerings, count } = order;
    try {
      this.#launched(
        order,
        await inTime(clock, callMsMax, provider.launch({ token, cluster, offerings, count, boot: boot(order) })),
      );
    } catch (error) {
      if (!(error instanceof CloudError)) this.options.log("scaler_call", `A defect of the provider: ${String(error)}`);
      this.#refused(order, error instanceof CloudError ? error : new CloudError("unknown", String(error)), again);
    }
    await commit();
  }

  #launched(order: OrderRow, reply: LaunchReply): void {
    const { book, memory, clock, settings } = this.options;
    const nowMs = clock.now();
    for (const instance of reply.instances) this.#arrived(order, instance, nowMs);
    for (const { offering, code } of reply.refusals)
      learn(memory, { type: "refused", offering, code }, nowMs, settings);
    const refusal = reply.refusals[0];
    const message = refusal?.message ?? `${reply.instances.length} of ${order.count} instances came.`;
    for (const row of book.rowsOf(order.token)) {
      if (isOpen(row)) book.move(row.id, "FAILED", nowMs, { code: refusal?.code ?? "capacity", message });
    }
  }

  #arrived(order: OrderRow, instance: Launched, nowMs: number): void {
    const { book, memory, settings } = this.options;
    const rows = book.rowsOf(order.token);
    if (rows.some((row) => row.cloudId === instance.id)) return;
    const row = rows.find(isOpen) ?? rows.find((each) => each.state === "FAILED" && each.cloudId === null);
    // More than was ordered: no row takes it, and the next listing ends it.
    if (!row) return;
    const offering = this.#offeringOf(row, instance.offering);
    book.move(
      row.id,
      "LAUNCHED",
      nowMs,
      { code: "launched", message: `Launched as ${offering.id}.` },
      { cloudId: instance.id, launchedAtMs: nowMs, offering },
    );
    learn(memory, { type: "launched", offering: offering.id }, nowMs, settings);
    if (row.node !== null) this.#register(row.id);
  }

  /** The call brought nothing, or that is not known. What an earlier call of unknown outcome brought stays open. */
  #refused(order: OrderRow, error: CloudError, again: boolean): void {
    const { book, memory, clock, settings } = this.options;
    const nowMs = clock.now();
    const { code, message, retryAfterMs } = error;
    learn(memory, { type: "failed", order: order.token, code, retryAfterMs }, nowMs, settings);
    if (code === "capacity" || code === "quota" || code === "invalid") {
      for (const { id } of order.offerings) learn(memory, { type: "refused", offering: id, code }, nowMs, settings);
    }
    const isLasting = code === "capacity" || code === "quota" || code === "invalid";
    const isOver = isLasting || (!again && code !== "unknown" && code !== "throttled");
    for (const row of book.rowsOf(order.token)) {
      if (!isOpen(row)) continue;
      if (isOver) book.move(row.id, "FAILED", nowMs, { code, message });
      else if (code !== "throttled" || again) {
        if (row.state !== "UNKNOWN") book.move(row.id, "UNKNOWN", nowMs, { code, message });
      }
    }
    const known = book.orders.get(order.token);
    if (isOver || !known) return;
    const backoffMs = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(10, known.attempts - 1));
    book.setOrder({ ...known, nextAttemptAtMs: nowMs + Math.max(backoffMs, retryAfterMs ?? 0) });
  }

  #register(id: string): void {
    const { book, memory, clock, settings } = this.options;
    const row = book.row(id);
    if (row.state !== "LAUNCHED" || row.node === null) return;
    const nowMs = clock.now();
    const tookMs = nowMs - row.createdAtMs;
    const message = `Its worker joined ${(tookMs / 1000).toFixed(1)} s after the order.`;
    book.move(id, "REGISTERED", nowMs, { code: "joined", message }, { registeredAtMs: nowMs, misses: 0 });
    learn(memory, { type: "registered", offering: row.offering.id, bootMs: tookMs }, nowMs, settings);
  }

  async #terminate(ids: readonly string[]): Promise<void> {
    const { provider, clock, book, log, commit, serve } = this.options;
    let refusals: { id: string; code: string; message: string }[];
    try {
      refusals = (await inTime(clock, callMsMax, provider.terminate(ids))).refusals;
    } catch (error) {
      // Asked again in time; listings tell what became of it.
      log("terminate_failed", `${ids.join(", ")}: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    for (const { id, code, message } of refusals) {
      log("terminate_refused", `${id}: ${message} (${code})`);
      const row = book.byCloudId(id);
      if (!row || row.state !== "TERMINATING" || row.node === null || !undoable.has(row.reason.code)) continue;
      const why = `The provider does not end it now (${code}), so it serves again.`;
      book.move(row.id, "REGISTERED", clock.now(), { code: "end_refused", message: why }, { drainUntilMs: null });
      serve(row.node, true);
    }
    await commit();
  }

  #offeringOf(row: InstanceRow, id: string | null): Offering {
    const order = this.options.book.orders.get(row.order);
    return order?.offerings.find((offering) => offering.id === id) ?? row.offering;
  }
}
