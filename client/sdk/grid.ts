/** The grid as a researcher's program sees it. Runs in Node 20 and newer, and in browsers. */
import type { JobList, JobView, NetworkStatus, NodeView, SubmitAnswer } from "../../protocol/rest.ts";
import { checkSize, Http } from "./http.ts";
import { Job } from "./job.ts";
import { type MapOptions, type Mapped, mapOver } from "./map.ts";
import { type GridProblem, invalidArgument } from "./problem.ts";
import { type RetryOptions, retryDefault } from "./retry.ts";
import type { Accepted, CallOptions, JobFilter, PayloadOf, ResultOf, SubmitOptions, WorkloadTypes } from "./types.ts";
import { type Uploaded, type UploadOptions, upload } from "./upload.ts";

export interface ConnectOptions {
  /** An API key (`qk_...`). None is needed on the coordinator's own machine, nor on its own pages. */
  key?: string;
  /** How failures that pass are tried again; see `RetryOptions`. */
  retry?: Partial<RetryOptions>;
  /** Milliseconds that one request may take; 30,000 without it. */
  timeoutMs?: number;
  /** Requests at once, as many long polls beside them; 16 in Node and 2 in browsers, which allow six per site, without it. */
  connections?: number;
  /** Told of every failure that is tried again. */
  onRetry?: (problem: GridProblem, pauseMs: number) => void;
  /** Instead of the global `fetch`. */
  fetch?: typeof fetch;
}

/** Asks nothing yet: the first call does. Throws GridProblem (`invalid_argument`). */
export function connect(url: string | URL, options: ConnectOptions = {}): Grid {
  const inBrowser = typeof document !== "undefined" || "WorkerGlobalScope" in globalThis;
  const { key = null, timeoutMs = 30_000, connections = inBrowser ? 2 : 16 } = options;
  if (key !== null && !/^[\x21-\x7e]{1,512}$/.test(key)) {
    throw invalidArgument(
      "key",
      "The key has characters that no key has",
      "Give the key as it was shown, without quotes",
    );
  }
  whole("connections", connections, 1, 1024);
  whole("timeoutMs", timeoutMs, 1, 2 ** 31 - 1);
  return new Grid(
    new Http({
      base: baseOf(url),
      key,
      fetch: options.fetch ?? ((...request) => fetch(...request)),
      retry: { ...retryDefault, ...options.retry },
      timeoutMs,
      connections,
      answerBytesMax: 256 << 20,
      onRetry: options.onRetry ?? (() => {}),
    }),
  );
}

function whole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw invalidArgument(name, `${name} is ${value}`, `Give a whole number from ${least} to ${most}`);
}

function baseOf(given: string | URL): string {
  const text = String(given);
  const url = URL.canParse(text) ? new URL(text) : null;
  const remedy = "Give it like http://localhost:8000";
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw invalidArgument("url", `"${text}" is no address of a coordinator`, remedy);
  }
  if (url.username !== "" || url.password !== "") {
    throw invalidArgument("url", "The address holds a password", "Give the key as the option key");
  }
  if (url.search !== "" || url.hash !== "") throw invalidArgument("url", `"${text}" goes on after the path`, remedy);
  return (url.origin + url.pathname).replace(/\/+$/, "");
}

/** 128 random bits. Pages without https have no `crypto.randomUUID`. */
const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function jsonOf(submission: object): string {
  try {
    return JSON.stringify(submission);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw invalidArgument(
      "payload",
      `The payload cannot be written as JSON: ${why}`,
      "Give plain data; a BigInt as a text",
    );
  }
}

/** Made by `connect`. All calls throw GridProblem, or their signal's reason. */
export class Grid {
  readonly #http: Http;

  /** @internal */
  constructor(http: Http) {
    this.#http = http;
  }

  /** Resolves once the job is on the coordinator's disk. Tried again as often as it takes, it is one job. */
  async submit<Type extends string>(
    type: Type,
    payload: PayloadOf<Type>,
    { idempotencyKey = newKey(), signal, ...options }: SubmitOptions = {},
  ): Promise<SubmittedJob<ResultOf<Type>>> {
    // What is not given is not sent: the coordinator's own defaults hold.
    const { priority, supply, deadline, budget, region, placement, verification, webhook } = options;
    const terms = { priority, supply, deadline, budget, region, placement, verification, webhook };
    const body = jsonOf({ workload_type: type, payload, ...terms });
    checkSize(body);
    if (!/^[\x21-\x7e]{1,128}$/.test(idempotencyKey)) {
      throw invalidArgument(
        "idempotencyKey",
        "It has characters that no header may have, or too many",
        "Give 1 to 128 visible ASCII characters",
      );
    }
    const { value, headers } = await this.#http.json<SubmitAnswer>({
      method: "POST",
      path: "/api/v1.2/workload/submit",
      body,
      headers: { "idempotency-key": idempotencyKey },
      signal,
    });
    const accepted = { ...value, replayed: headers.get("idempotent-replayed") === "true" };
    return new SubmittedJob(this.#http, accepted);
  }

  /**
   * Runs a program of your own over each input (a value that JSON can say), on the grid; outputs come in order, as they
   * are there. Inputs are read only as far ahead as `batch` and `inFlight` say.
   */
  map<Value = unknown>(
    inputs: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions,
  ): AsyncGenerator<Mapped<Value>, void, undefined> {
    return mapOver<Value>(this, inputs, options);
  }

  /** Uploads a file, which payloads then name by its `blob`. In Node, `await openAsBlob(path)` reads it piece by piece. */
  upload(file: Blob | Uint8Array, options: UploadOptions = {}): Promise<Uploaded> {
    return upload(this.#http, file, options);
  }

  /** A handle of a job that exists, by its id; asks nothing yet. `grid.job<"monte_carlo">(id)` types its result. */
  job<Type extends string = string>(id: string): Job<ResultOf<Type>> {
    return new Job(this.#http, id);
  }

  /** Jobs, newest first; each page is fetched when the loop comes to it. */
  async *jobs({ state, workloadType, submitter, signal }: JobFilter = {}): AsyncGenerator<JobView, void, undefined> {
    const query = new URLSearchParams({ limit: "100" });
    for (const [name, value] of Object.entries({ state, workload_type: workloadType, submitter })) {
      if (value !== undefined) query.set(name, value);
    }
    for (;;) {
      const { value } = await this.#http.json<JobList>({ path: `/api/v1.2/workload?${query}`, signal });
      yield* value.jobs;
      if (value.next_cursor === null) return;
      query.set("cursor", value.next_cursor);
    }
  }

  async nodes({ signal }: CallOptions = {}): Promise<NodeView[]> {
    return (await this.#http.json<{ nodes: NodeView[] }>({ path: "/api/v1.2/nodes", signal })).value.nodes;
  }

  /** Coordinator, registry, scheduler and nodes. */
  async status({ signal }: CallOptions = {}): Promise<NetworkStatus> {
    return (await this.#http.json<NetworkStatus>({ path: "/api/v1.2/network/status", signal })).value;
  }

  /** What can be submitted, with the JSON Schema of each payload, and what is planned. */
  async workloadTypes({ signal }: CallOptions = {}): Promise<WorkloadTypes> {
    return (await this.#http.json<WorkloadTypes>({ path: "/api/v1.2/workload-types", signal })).value;
  }
}

/** The handle of a job that this program submitted: it knows what the coordinator answered. */
export class SubmittedJob<Result = unknown> extends Job<Result> {
  /** The coordinator's answer. */
  readonly accepted: Accepted;

  /** @internal */
  constructor(http: Http, accepted: Accepted) {
    super(http, accepted.task_id);
    this.accepted = accepted;
  }
}
