/** Requests to one coordinator: bounded in number, time and size, tried again while that can help. */
import { limits } from "../../protocol/limits.ts";
import { End } from "./end.ts";
import { Lane } from "./lane.ts";
import { GridProblem, problemOf } from "./problem.ts";
import { Backoff, isPassing, type RetryOptions, sleep } from "./retry.ts";

export interface HttpOptions {
  /** Address of the coordinator without a trailing slash. */
  base: string;
  key: string | null;
  fetch: typeof fetch;
  retry: RetryOptions;
  /** From a request's start to the last byte of its answer. */
  timeoutMs: number;
  /** Requests at once; long polls have as many of their own. */
  connections: number;
  answerBytesMax: number;
  /** Told of every failure that is tried again. */
  onRetry: (problem: GridProblem, pauseMs: number) => void;
}

export interface Call {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  /** With its query. */
  path: string;
  /** JSON text, or a file's bytes. */
  body?: string | Uint8Array<ArrayBuffer>;
  headers?: Record<string, string>;
  /** Added to the time limit: how long the coordinator may think before it answers. */
  waitMs?: number;
  signal?: AbortSignal | undefined;
}

export interface Answer<T> {
  value: T;
  headers: Headers;
}

/** An open answer whose body is still to come; `abort` ends it. */
export interface OpenAnswer {
  body: ReadableStream<Uint8Array>;
  abort(): void;
}

/** Calls that may wait for their turn, in each lane. */
const queueMax = 10_000;
const problemBytesMax = 1 << 20;

export class Http {
  /** Turns of ordinary requests, and of those that wait for a job's end. */
  readonly calls: Lane;
  readonly waits: Lane;
  #answered = false;

  constructor(private readonly options: HttpOptions) {
    this.calls = new Lane(options.connections, queueMax);
    this.waits = new Lane(options.connections, queueMax);
  }

  /** An answer's JSON, in its turn. Throws GridProblem. */
  json<T>(call: Call): Promise<Answer<T>> {
    return this.calls.run(() => this.jsonNow<T>(call), call.signal);
  }

  /** As `json`, for a caller that has its turn already. */
  jsonNow<T>(call: Call): Promise<Answer<T>> {
    return this.#again(call, async () => {
      const { response, end } = await this.#send(call, "application/json");
      try {
        const text = await textOf(response, this.options.answerBytesMax);
        return { value: this.#read<T>(text, response.status), headers: response.headers };
      } catch (error) {
        throw this.#failure(error, end, call);
      } finally {
        end.clear();
      }
    });
  }

  /** An answer's bytes, in its turn. Throws GridProblem. */
  bytes(call: Call): Promise<Uint8Array> {
    return this.calls.run(
      () =>
        this.#again(call, async () => {
          const { response, end } = await this.#send(call, "*/*");
          try {
            return await bytesOf(response, this.options.answerBytesMax);
          } catch (error) {
            throw this.#failure(error, end, call);
          } finally {
            end.clear();
          }
        }),
      call.signal,
    );
  }

  /** Opens a stream of events; null when the coordinator has nothing more to tell (204). Throws GridProblem. */
  open(call: Call): Promise<OpenAnswer | null> {
    return this.#again(call, async () => {
      const { response, end } = await this.#send(call, "text/event-stream");
      // The time limit was for the answer's head: from here on silence is what counts, and its reader watches that.
      end.stopClock();
      if (response.status === 204 || response.body === null) {
        end.clear();
        return null;
      }
      if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
        end.abort();
        throw badAnswer(this.options.base, response.status, "It is no event stream.");
      }
      return { body: response.body, abort: () => end.abort() };
    });
  }

  backoff(): Backoff {
    const { retry } = this.options;
    return new Backoff({ ...retry, totalMs: this.#answered ? retry.totalMs : Math.min(retry.firstMs, retry.totalMs) });
  }

  /** What a stream is that ends again and again before its time. */
  unreachable(cause?: unknown): GridProblem {
    return new GridProblem(
      {
        code: "unreachable",
        title: "The coordinator cannot be reached",
        detail: `${this.options.base} does not answer${reasonOf(cause)}.`,
        remedy:
          typeof document === "undefined"
            ? "Check the address, and that the coordinator runs there"
            : "Check that the coordinator runs; a page reaches only the coordinator that served it",
      },
      { cause },
    );
  }

  async #again<T>(call: Call, attempt: () => Promise<T>): Promise<T> {
    let backoff: Backoff | null = null;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        call.signal?.throwIfAborted();
        if (!(error instanceof GridProblem) || !isPassing(error)) throw error;
        backoff ??= this.backoff();
        const pauseMs = backoff.next((error.retryAfterSeconds ?? 0) * 1000);
        if (pauseMs === null) throw error;
        this.options.onRetry(error, pauseMs);
        await sleep(pauseMs, call.signal);
      }
    }
  }

  /** One request. Resolves with a good answer whose body is not read yet; the caller clears `end` after that. */
  async #send(call: Call, accept: string): Promise<{ response: Response; end: End }> {
    call.signal?.throwIfAborted();
    const { base, key, timeoutMs } = this.options;
    const end = new End(timeoutMs + (call.waitMs ?? 0), call.signal);
    try {
      const response = await this.options.fetch(base + call.path, {
        method: call.method ?? "GET",
        headers: {
          accept,
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...(call.body === undefined ? {} : { "content-type": mediaTypeOf(call.body) }),
          ...call.headers,
        },
        ...(call.body === undefined ? {} : { body: call.body }),
        signal: end.signal,
        // A followed redirect would turn a POST into a GET.
        redirect: "manual",
        cache: "no-store",
        // Without a key a page of the coordinator acts as whoever is signed in there.
        credentials: key === null ? "same-origin" : "omit",
      });
      this.#answered = true;
      if (response.ok) return { response, end };
      if (response.type === "opaqueredirect" || (response.status >= 300 && response.status < 400)) {
        throw redirected(base, response.headers.get("location"));
      }
      throw problemOf(response, await textOf(response, problemBytesMax), base);
    } catch (error) {
      const failure = this.#failure(error, end, call);
      end.clear();
      throw failure;
    }
  }

  #read<T>(text: string, status: number): T {
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === "object" && value !== null) return value as T;
    } catch {
      // Said below.
    }
    throw badAnswer(this.options.base, status, "It is no JSON object.");
  }

  /** What a failed request is to the caller: the signal's reason, a problem, or a defect as it is. */
  #failure(error: unknown, end: End, call: Call): unknown {
    if (call.signal?.aborted) return call.signal.reason;
    if (error instanceof GridProblem) return error;
    if (end.timedOut) {
      return new GridProblem({
        code: "timeout",
        title: "The answer did not come in time",
        detail: `${this.options.base} did not answer within ${Math.round(end.ms / 1000)} s.`,
        remedy: "Try again, or allow more time with timeoutMs",
      });
    }
    const code = codeOf(error);
    if (code !== null && /CERT|SELF_SIGNED|SSL|TLS|UNABLE_TO_VERIFY/.test(code)) {
      return new GridProblem(
        {
          code: "untrusted_certificate",
          title: "The coordinator's certificate is not trusted here",
          detail: `The certificate of ${this.options.base} is not trusted (${code}).`,
          remedy: "Tell Node where the coordinator's certificate lies: NODE_EXTRA_CA_CERTS=FILE",
        },
        { cause: error },
      );
    }
    return this.unreachable(error);
  }
}

const mediaTypeOf = (body: string | Uint8Array): string =>
  typeof body === "string" ? "application/json" : "application/octet-stream";

/** A body as text. Throws GridProblem when it is larger than that many bytes. */
async function textOf(response: Response, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of piecesOf(response, bytesMax)) text += decoder.decode(piece, { stream: true });
  return text + decoder.decode();
}

async function bytesOf(response: Response, bytesMax: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of piecesOf(response, bytesMax)) pieces.push(piece);
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

async function* piecesOf(response: Response, bytesMax: number): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    bytes += value.length;
    if (bytes > bytesMax) {
      await reader.cancel();
      throw new GridProblem({
        code: "answer_too_large",
        title: "The answer is too large",
        detail: `The answer is larger than ${bytesMax} bytes.`,
        remedy: "Ask for less",
      });
    }
    yield value;
  }
}

const badAnswer = (base: string, status: number, why: string): GridProblem =>
  new GridProblem({
    code: "bad_answer",
    title: "The answer is none of a coordinator",
    status,
    detail: `${base} answered what a coordinator would not: ${why}`,
    remedy: "Check that the address is the coordinator's",
  });

const redirected = (base: string, location: string | null): GridProblem =>
  new GridProblem({
    code: "redirected",
    title: "The address leads elsewhere",
    detail: `${base} leads ${location === null ? "elsewhere" : `to ${location}`}.`,
    field: "url",
    remedy: "Connect to the address that it leads to",
  });

/** Throws GridProblem when a submission is larger than any coordinator takes: it would be cut off within the body. */
export function checkSize(body: string): void {
  // A character is at least a byte, and at most three: only long texts are encoded for the sake of their length.
  if (body.length * 3 <= limits.submitBytesMax) return;
  const bytes = new TextEncoder().encode(body).length;
  if (bytes <= limits.submitBytesMax) return;
  throw new GridProblem({
    code: "body_too_large",
    title: "The submission is too large",
    field: "payload",
    detail: `The submission has ${bytes} bytes; at most ${limits.submitBytesMax} are taken.`,
    remedy: "Send less, or cut the work into several jobs",
  });
}

/** The system's code of a failed connection, as ECONNREFUSED; null in browsers, which do not tell. */
function codeOf(error: unknown): string | null {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 4; cause = cause.cause, depth++) {
    const { code } = cause as { code?: unknown };
    if (typeof code === "string") return code;
    if (cause instanceof AggregateError && cause.errors.length > 0) return codeOf(cause.errors[0]);
  }
  return null;
}

const reasonOf = (cause: unknown): string => {
  const code = codeOf(cause);
  return code === null ? "" : ` (${code})`;
};
