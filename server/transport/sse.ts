/**
 * Server-sent events with a bounded queue per client. A client that does not read is cut off: it reconnects
 * and resumes by its last id, while the coordinator's memory stays flat.
 */
import type { Unsubscribe } from "./grid.ts";

export interface SseEvent {
  event: string;
  /** One JSON value. */
  data: unknown;
  id?: number;
}

export interface SseLimits {
  /** Bytes that may wait for one client. */
  queueBytesMax: number;
  /** A comment is sent this often, so that proxies and clients see a live connection. */
  heartbeatMs: number;
  /** Streams at once over all clients. */
  streamsMax: number;
}

export const sseLimitsDefault: SseLimits = { queueBytesMax: 4 << 20, heartbeatMs: 15_000, streamsMax: 1_024 };

const encoder = new TextEncoder();

export const encodeEvent = ({ event, data, id }: SseEvent): Uint8Array =>
  encoder.encode(`${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);

const heartbeat = encoder.encode(": heartbeat\n\n");
/** Browsers wait this long before they reconnect. */
const preamble = encoder.encode("retry: 2000\n\n");

/**
 * Pushes events, encoded already or not, until the returned function is called; may push before it
 * returns. `end` closes the stream after what was pushed.
 */
export type SseSource = (push: (event: SseEvent | Uint8Array) => void, end: () => void) => Unsubscribe;

/** All event streams of one server. */
export class SseHub {
  private readonly ends = new Set<() => void>();
  /** Clients cut off because they read too slowly, since the start. */
  dropped = 0;

  constructor(private readonly limits: SseLimits = sseLimitsDefault) {}

  get open(): number {
    return this.ends.size;
  }
  get full(): boolean {
    return this.ends.size >= this.limits.streamsMax;
  }

  /**
   * A stream of what `source` pushes. The caller checks `full` first. `cut` must break the client's
   * connection: a client that does not read would not see an end either.
   */
  stream(source: SseSource, cut: () => void): ReadableStream<Uint8Array> {
    const queue: Uint8Array[] = [preamble];
    const state = { bytes: 0, ending: false, closed: false };
    let wake: (() => void) | null = null;
    let unsubscribe: Unsubscribe = () => {};
    let timer: NodeJS.Timeout | undefined;

    const close = (): void => {
      if (state.closed) return;
      state.closed = true;
      clearInterval(timer);
      this.ends.delete(end);
      unsubscribe();
      wake?.();
    };
    /** What is queued still goes out. */
    const end = (): void => {
      state.ending = true;
      wake?.();
    };
    const enqueue = (bytes: Uint8Array): void => {
      if (state.closed || state.ending) return;
      state.bytes += bytes.length;
      // One event alone may be larger (a snapshot of thousands of nodes): it is the pile that is bounded.
      if (state.bytes > this.limits.queueBytesMax && queue.length > 1) {
        this.dropped++;
        queue.length = 0;
        close();
        cut();
        return;
      }
      queue.push(bytes);
      wake?.();
    };

    this.ends.add(end);
    timer = setInterval(() => enqueue(heartbeat), this.limits.heartbeatMs);
    timer.unref();
    unsubscribe = source((event) => enqueue(event instanceof Uint8Array ? event : encodeEvent(event)), end);
    if (state.closed) unsubscribe();

    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (queue.length === 0 && !state.ending && !state.closed) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
            wake = null;
          }
          const bytes = queue.length === 1 ? queue[0] : queue.length > 1 ? Buffer.concat(queue) : undefined;
          queue.length = 0;
          state.bytes = 0;
          if (bytes !== undefined) controller.enqueue(bytes);
          else {
            close();
            controller.close();
          }
        },
        cancel: close,
      },
      // Nothing is fetched ahead: bytes wait in `queue`, where they are counted.
      { highWaterMark: 0 },
    );
  }

  /** Ends all streams, for shutdown. */
  close(): void {
    for (const end of [...this.ends]) end();
  }
}
