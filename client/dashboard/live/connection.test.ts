import { afterEach, expect, test, vi } from "vitest";
import { connectFeed, type FeedConnection } from "./connection.ts";
import { change, snapshot } from "./fixtures.ts";
import type { FeedLink } from "./words.ts";

/** Answers of a coordinator, written by hand. */
function answers() {
  const asked: (string | null)[] = [];
  const streams: { push(id: number, event: unknown): void; drop(): void }[] = [];
  const open = async (after: string | null, signal: AbortSignal): Promise<Response> => {
    asked.push(after);
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const write = (text: string): void => controller.enqueue(new TextEncoder().encode(text));
        streams.push({
          push: (id, event) => write(`id: ${id}\nevent: x\ndata: ${JSON.stringify(event)}\n\n`),
          drop: () => controller.error(new Error("reset")),
        });
        signal.addEventListener("abort", () => controller.error(new Error("aborted")), { once: true });
      },
    });
    return new Response(body);
  };
  return { asked, streams, open };
}
let connection: FeedConnection | undefined;
afterEach(() => connection?.stop());

test("a dropped connection resumes after its last event, and is live with the first that comes", async () => {
  const { asked, streams, open } = answers();
  const links: FeedLink["state"][] = [];
  const ids: (string | null)[] = [];
  connection = connectFeed(null, { event: (_, id) => ids.push(id), link: ({ state }) => links.push(state) }, open);
  await vi.waitFor(() => expect(streams).toHaveLength(1));
  streams[0]?.push(7, snapshot("a"));
  streams[0]?.push(8, change("b"));
  await vi.waitFor(() => expect(ids).toEqual(["7", "8"]));
  streams[0]?.drop();
  await vi.waitFor(() => expect(asked).toEqual([null, "8"]), 3_000);
  expect(links).toEqual(["connecting", "live", "stale"]);
  streams[1]?.push(9, change("c"));
  await vi.waitFor(() => expect(ids).toEqual(["7", "8", "9"]));
  expect(links.at(-1)).toBe("live");
});

test("renewing asks for a new snapshot, on one connection", async () => {
  const { asked, streams, open } = answers();
  const links: FeedLink["state"][] = [];
  const ids: (string | null)[] = [];
  connection = connectFeed("5", { event: (_, id) => ids.push(id), link: ({ state }) => links.push(state) }, open);
  await vi.waitFor(() => expect(asked).toEqual(["5"]));
  connection.renew();
  await vi.waitFor(() => expect(asked).toEqual(["5", null]));
  streams[1]?.push(9, snapshot());
  await vi.waitFor(() => expect(ids).toEqual(["9"]));
  expect(links).toEqual(["connecting", "live"]);
});

test("who must sign in is told so, and not asked again", async () => {
  const links: FeedLink[] = [];
  let asked = 0;
  const open = async (): Promise<Response> => {
    asked++;
    return Response.json({ detail: "Who are you?" }, { status: 401 });
  };
  connection = connectFeed(null, { event: () => {}, link: (link) => links.push(link) }, open);
  await vi.waitFor(() => expect(links.at(-1)).toEqual({ state: "signed_out", message: "Who are you?" }));
  await new Promise((resolve) => setTimeout(resolve, 900));
  expect(asked).toBe(1);
});
