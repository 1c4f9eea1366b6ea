/** Event streams: one job's events, and the pages' live feed. */
import { type FeedEvent, feedEventSchema, jobEventSchema } from "../../../protocol/rest.ts";
import { type Caller, reads } from "../../access/caller.ts";
import { isFinal, type NumberedFeedEvent } from "../grid.ts";
import { encodeEvent, type SseSource } from "../sse.ts";
import type { HttpContext } from "./api.ts";
import type { RouteDeps } from "./deps.ts";
import { apiHeaders } from "./headers.ts";
import { HttpProblem, retryAfter } from "./problems.ts";
import { visibleFeed } from "./views.ts";
import { jobId, noSuchJob } from "./workload.ts";

export function streamRoutes(deps: RouteDeps): void {
  jobEventsRoute(deps);
  liveRoute(deps);
}

function jobEventsRoute({ api, grid, access, sse }: RouteDeps): void {
  api.route(
    {
      method: "get",
      path: "/api/v1.2/workload/{task_id}/events",
      tag: "Streams",
      summary: "A job's events as they happen (SSE)",
      description:
        "`state`, `progress`, `partial` and `retracted`, each numbered. Resumes after `Last-Event-ID`; closes with the job's last " +
        "`state`. Whoever has seen that gets 204, at which a browser stops reconnecting.",
      scope: "read",
      headers: { "Last-Event-ID": "Number of the last event seen." },
      answers: {
        200: {
          description: "Events; each `data` is one of these.",
          schema: jobEventSchema,
          mediaType: "text/event-stream",
        },
        204: { description: "The job has ended and everything was seen." },
      },
      problems: ["unauthenticated", "forbidden", "no_such_job", "too_many_streams", "rate_limited"],
    },
    async ({ c, facts }) => {
      const id = jobId(c.req.param("task_id"));
      const job = (await grid.job(id)) ?? noSuchJob(id);
      const caller = await access.caller(facts);
      if (!reads(caller, job.submitter)) await access.require(facts, "read");
      const after = lastEventId(facts.header("last-event-id"));
      let delivered = 0;
      const source: SseSource = (push, end) =>
        grid.subscribeJob(id, after, ({ id: number, event }) => {
          delivered++;
          push({ id: number, event: event.event, data: event });
          if (event.event === "state" && isFinal(event.job.status)) end();
        });
      const seenAll = (): boolean => delivered === 0 && after !== null && isFinal(job.status);
      return openStream(c, sse, source, seenAll);
    },
  );
}

function liveRoute({ api, grid, access, sse }: RouteDeps): void {
  const encode = encoderByCaller();
  api.route(
    {
      method: "get",
      path: "/api/v1.2/live",
      tag: "Streams",
      summary: "The whole grid as pages show it (SSE)",
      description:
        "A `snapshot`, then what changed, at most every 500 ms. One stream serves all views of a browser. Resumes after " +
        "`Last-Event-ID` without a snapshot, for about half a minute.",
      headers: { "Last-Event-ID": "Number of the last event seen." },
      answers: {
        200: {
          description: "Events; each `data` is one of these.",
          schema: feedEventSchema,
          mediaType: "text/event-stream",
        },
      },
      problems: ["unauthenticated", "too_many_streams", "rate_limited"],
    },
    async ({ c, facts }) => {
      const caller = await access.caller(facts);
      const after = lastEventId(facts.header("last-event-id"));
      return openStream(c, sse, (push) => grid.subscribeFeed(after, (numbered) => push(encode(caller, numbered))));
    },
  );
}

/** Encodes an event once for all who see all of it, and once for all strangers. */
function encoderByCaller(): (caller: Caller, numbered: NumberedFeedEvent) => Uint8Array {
  const caches = { all: new WeakMap<FeedEvent, Uint8Array>(), none: new WeakMap<FeedEvent, Uint8Array>() };
  return (caller, { id, event }) => {
    const cache = caller.scopes.includes("read") ? caches.all : caller.kind === "anonymous" ? caches.none : null;
    const before = cache?.get(event);
    if (before !== undefined) return before;
    const encoded = encodeEvent({ id, event: event.event, data: visibleFeed(caller, event) });
    cache?.set(event, encoded);
    return encoded;
  };
}

const streamHeaders = {
  ...apiHeaders,
  "content-type": "text/event-stream; charset=utf-8",
  // A buffering proxy would hold events back.
  "x-accel-buffering": "no",
};

/** 204 instead of a stream when `seenAll` says so after subscribing. */
function openStream(c: HttpContext, sse: RouteDeps["sse"], source: SseSource, seenAll = () => false): Response {
  if (sse.full) {
    const remedy = "Close other streams, or poll.";
    throw new HttpProblem(
      "too_many_streams",
      "The coordinator serves no more streams now.",
      { remedy },
      retryAfter(10),
    );
  }
  const stream = sse.stream(source, () => c.env.incoming.socket.destroy());
  if (seenAll()) {
    void stream.cancel();
    return c.body(null, 204, apiHeaders);
  }
  return c.body(stream, 200, streamHeaders);
}

const lastEventId = (header: string | undefined): number | null =>
  header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : null;
