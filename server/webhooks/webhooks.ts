/**
 * Tells a job's submitter over HTTP that it ended, or that an output that was given was taken back. What is to be told
 * is written in the commit of the end itself, so that no crash loses it; it is sent once that commit is durable, and
 * again until the receiver answers 2xx, for a day. Form and signature (v1a, Ed25519) are those of Standard Webhooks.
 */
import type { JobView } from "../../protocol/rest.ts";
import type { CoreWrite } from "../core/events.ts";
import type { CoreState } from "../core/state.ts";
import type { Write } from "../store/store.ts";
import { bodyOf, type Hook, type HookEvent, hooksOf, hooksRoom, outboxRoom, type Pending, pendingOf } from "./words.ts";

export interface WebhookPorts {
  documents(room: string): Promise<{ key: string; value: string }[]>;
  /** Resolves once it is durable. */
  written(writes: readonly Write[]): Promise<void>;
  jobView(id: string): Promise<JobView | null>;
  /** Ed25519, 64 bytes. */
  sign(text: string): Uint8Array;
  log(code: string, message: string): void;
  now(): number;
  fetch: typeof fetch;
  /** Outputs can be taken back for so long after a job's end. */
  sealMs: number;
  /** Waits before each further attempt; given up after the last. */
  retryMs?: readonly number[];
}

const second = 1_000;
const hour = 3_600_000;
const retryMsDefault = [5 * second, 30 * second, 120 * second, 600 * second, hour, 3 * hour, 8 * hour, 12 * hour];
const answerMsMax = 10_000;
const sendingMax = 8;
/** Beyond it what is oldest is given up. */
const pendingMax = 10_000;

interface Delivery extends Pending {
  id: string;
  attempts: number;
  nextMs: number;
  /** Its commit is durable. */
  ready: boolean;
  sending: boolean;
}

export class Webhooks {
  #hooks = new Map<string, Hook>();
  readonly #deliveries = new Map<string, Delivery>();
  #sending = 0;

  constructor(private readonly ports: WebhookPorts) {}

  get pending(): number {
    return this.#deliveries.size;
  }

  /** After the record was opened, or opened anew. */
  async load(): Promise<void> {
    this.#hooks = hooksOf(await this.ports.documents(hooksRoom));
    this.#deliveries.clear();
    for (const [id, pending] of pendingOf(await this.ports.documents(outboxRoom))) this.#add(id, pending, true);
  }

  /** Documents that belong in the commit of `write`. */
  follows(write: CoreWrite, _: CoreState, now: number): Write[] {
    switch (write.type) {
      case "job.insert":
        return write.record.webhook ? [this.#keep(write.job, { url: write.record.webhook, endedAtMs: null })] : [];
      case "job.ended":
        return this.#tell(write.job, `job.${write.state}`, write.revision, now);
      case "job.reopen":
        return this.#tell(write.job, "job.retracted", write.revision, now);
      default:
        return [];
    }
  }

  /** The job's end, or its retraction, is durable. */
  durable(job: string): void {
    for (const delivery of this.#deliveries.values()) if (delivery.job === job) delivery.ready = true;
    this.pump();
  }

  /** Sends what is due; forgets who wanted to hear of jobs that are sealed. To be called every second or so. */
  pump(): void {
    const now = this.ports.now();
    for (const delivery of this.#deliveries.values()) {
      if (this.#sending >= sendingMax) break;
      if (delivery.ready && !delivery.sending && delivery.nextMs <= now) void this.#send(delivery);
    }
    this.#forgetSealed(now);
  }

  #tell(job: string, event: HookEvent, revision: number, now: number): Write[] {
    const hook = this.#hooks.get(job);
    if (!hook) return [];
    const id = `${job}.${revision}.${event}`;
    const pending = { job, url: hook.url, event, revision, atMs: now };
    const dropped = this.#deliveries.size >= pendingMax ? this.#oldest() : null;
    this.#add(id, pending, false);
    return [
      this.#keep(job, { url: hook.url, endedAtMs: event === "job.retracted" ? null : now }),
      { type: "document.put", room: outboxRoom, key: id, value: JSON.stringify(pending) },
      ...(dropped === null ? [] : [gone(outboxRoom, dropped)]),
    ];
  }

  #add(id: string, pending: Pending, ready: boolean): void {
    this.#deliveries.set(id, { ...pending, id, attempts: 0, nextMs: 0, ready, sending: false });
  }

  #oldest(): string | null {
    const id = this.#deliveries.keys().next().value ?? null;
    if (id !== null) {
      this.#deliveries.delete(id);
      this.ports.log("webhook_given_up", `${pendingMax} webhooks wait; ${id} is not told.`);
    }
    return id;
  }

  #keep(job: string, hook: Hook): Write {
    this.#hooks.set(job, hook);
    return { type: "document.put", room: hooksRoom, key: job, value: JSON.stringify(hook) };
  }

  async #send(delivery: Delivery): Promise<void> {
    delivery.sending = true;
    this.#sending++;
    const why = await this.#attempt(delivery).catch((error: unknown) => String(error));
    this.#sending--;
    delivery.sending = false;
    // The core may have been built anew meanwhile.
    if (this.#deliveries.get(delivery.id) !== delivery) return;
    const retries = this.ports.retryMs ?? retryMsDefault;
    const waitMs = retries[delivery.attempts++];
    if (why !== null && waitMs !== undefined) {
      delivery.nextMs = this.ports.now() + waitMs;
      return;
    }
    if (why !== null) this.ports.log("webhook_given_up", `${delivery.url} was not told of ${delivery.id}: ${why}`);
    this.#deliveries.delete(delivery.id);
    // What is not written now is told once more after a restart: at least once is the promise.
    await this.ports.written([gone(outboxRoom, delivery.id)]).catch(() => {});
    this.pump();
  }

  /** Null where it was taken, else why not. */
  async #attempt(delivery: Delivery): Promise<string | null> {
    const body = bodyOf(delivery, await this.ports.jobView(delivery.job));
    const timestamp = Math.floor(this.ports.now() / second);
    const signature = Buffer.from(this.ports.sign(`${delivery.id}.${timestamp}.${body}`)).toString("base64");
    const response = await this.ports.fetch(delivery.url, {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "user-agent": "Queztl",
        "webhook-id": delivery.id,
        "webhook-timestamp": String(timestamp),
        "webhook-signature": `v1a,${signature}`,
      },
      // A redirect would lead to hosts that the operator did not allow.
      redirect: "manual",
      signal: AbortSignal.timeout(answerMsMax),
    });
    await response.body?.cancel();
    return response.ok ? null : `it answered ${response.status}`;
  }

  #forgetSealed(now: number): void {
    const sealed = [...this.#hooks].filter(
      ([, { endedAtMs }]) => endedAtMs !== null && endedAtMs < now - this.ports.sealMs - hour,
    );
    if (sealed.length === 0) return;
    for (const [job] of sealed) this.#hooks.delete(job);
    void this.ports.written(sealed.map(([job]) => gone(hooksRoom, job))).catch(() => {});
  }
}

const gone = (room: string, key: string): Write => ({ type: "document.put", room, key, value: null });
