/** A job's events over server-sent events: resumed by Last-Event-ID as often as the connection is cut. */
import type { JobEvent } from "../../protocol/rest.ts";
import { type SseEvent, SseParser } from "../shared/sse.ts";
import type { Http } from "./http.ts";
import { GridProblem } from "./problem.ts";
import { type Backoff, sleep } from "./retry.ts";
import type { ProgressEvent, ProgressOptions } from "./types.ts";

/** The coordinator says something at least every 15 s; a connection that is silent for so long is dead. */
const silentMsMax = 45_000;

export interface StreamLimits {
  silentMs: number;
}

/**
 * Events until the job's last. The next is read from the connection only when the consumer asks for one, so that a slow
 * consumer slows the coordinator down (which cuts off the slowest; they come back by Last-Event-ID like everyone).
 * Throws GridProblem when the stream cannot be had any more, and the signal's reason.
 */
export async function* jobEvents(
  http: Http,
  path: string,
  { signal, after }: ProgressOptions,
  { silentMs }: StreamLimits = { silentMs: silentMsMax },
): AsyncGenerator<ProgressEvent, void, undefined> {
  let backoff: Backoff | null = null;
  let last = after;
  for (;;) {
    const headers: Record<string, string> = last === undefined ? {} : { "last-event-id": last };
    const answer = await http.open({ path, headers, signal });
    if (answer === null) return;
    // Made now: a coordinator that has answered once is given more time.
    backoff ??= http.backoff();
    try {
      for await (const event of frames(answer.body, silentMs)) {
        backoff.reset();
        last = event.id ?? last;
        const told = read(event, last);
        if (told === null) continue;
        yield told;
        if (told.event === "state" && isFinal(told.job.status)) return;
      }
    } finally {
      answer.abort();
    }
    signal?.throwIfAborted();
    const pauseMs = backoff.next();
    if (pauseMs === null) throw http.unreachable();
    await sleep(pauseMs, signal);
  }
}

const isFinal = (status: string): boolean => ["completed", "failed", "cancelled"].includes(status);

/** Events of one connection, until it ends, is cut, or says nothing for too long. */
async function* frames(body: ReadableStream<Uint8Array>, silentMs: number): AsyncGenerator<SseEvent, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  for (;;) {
    const chunk = await readWithin(reader, silentMs);
    if (chunk === null) return;
    yield* parse(parser, decoder.decode(chunk, { stream: true }));
  }
}

function parse(parser: SseParser, text: string): SseEvent[] {
  try {
    return parser.push(text);
  } catch (error) {
    throw unreadable("an event is too large", error);
  }
}

/** Null when the stream has ended, for whatever reason: the caller finds out by asking again. */
async function readWithin(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  silentMs: number,
): Promise<Uint8Array | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), silentMs);
  });
  const read = reader.read().then(
    ({ value }) => value ?? null,
    () => null,
  );
  try {
    return await Promise.race([read, silence]);
  } finally {
    clearTimeout(timer);
  }
}

const known = ["state", "progress", "partial", "retracted"];

/** Null for kinds of events that a newer coordinator may have. */
function read({ event, data }: SseEvent, id: string | undefined): ProgressEvent | null {
  if (!known.includes(event)) return null;
  try {
    return { ...(JSON.parse(data) as JobEvent), id: id ?? "" };
  } catch (error) {
    throw unreadable("an event is no JSON", error);
  }
}

const unreadable = (what: string, cause: unknown): GridProblem =>
  new GridProblem(
    {
      code: "bad_answer",
      title: "The answer is none of a coordinator",
      detail: `The stream of events cannot be read: ${what}.`,
      remedy: "Check that the address is the coordinator's",
    },
    { cause },
  );
