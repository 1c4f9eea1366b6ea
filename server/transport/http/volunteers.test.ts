/** Credit over HTTP: public to read, changed by whoever signs, erased by the operator. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { fakeVolunteer } from "../fake-grid.ts";
import { operatorToken, type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
beforeEach(async () => {
  // As others see it, who are not on this machine.
  server = await testServer({ access: { publicUrl: new URL("https://grid.example") } });
});
afterEach(() => server.close());

const path = "/api/v1.2/volunteers";
const id = fakeVolunteer.volunteer_id;

test("anybody may see the leaderboard, a volunteer, and its postings as JSON or CSV", async () => {
  expect(await (await server.ask(`${path}?limit=1`)).json()).toMatchObject({ volunteers: [{ volunteer_id: id }] });
  expect(await (await server.ask(`${path}/${id}`)).json()).toMatchObject({ volunteer_id: id });
  const { postings } = (await (await server.ask(`${path}/${id}/postings`)).json()) as { postings: { work: number }[] };
  expect(postings).toHaveLength(1);
  const csv = await server.ask(`${path}/${id}/postings?format=csv`);
  expect(csv.headers.get("content-type")).toBe("text/csv; charset=utf-8");
  expect(csv.headers.get("content-disposition")).toContain("attachment");
  const [head, first, end] = (await csv.text()).split("\r\n");
  expect([head, end]).toEqual(["counted_at,kind,core_seconds,task_id,work", ""]);
  expect(first?.split(",")).toHaveLength(5);
  for (const wrong of ["nobody", "0".repeat(16), id.toUpperCase()]) {
    const answer = await server.ask(`${path}/${wrong}`);
    expect([wrong, answer.status, await answer.json()]).toEqual([
      wrong,
      404,
      expect.objectContaining({ field: "volunteer_id", remedy: expect.any(String) }),
    ]);
  }
  expect((await server.ask(`${path}/${id}/postings?limit=0`)).status).toBe(400);
});

test("a statement needs no credential but its signature; erasing for another needs the operator", async () => {
  const json = { statement: "{}", public_key: "a".repeat(64), signature: "b".repeat(128) };
  expect((await server.ask(`${path}/${id}/statement`, { json })).status).toBe(200);
  const short = await server.ask(`${path}/${id}/statement`, { json: { ...json, signature: "b" } });
  expect([short.status, await short.json()]).toEqual([422, expect.objectContaining({ field: "signature" })]);
  expect((await server.ask(`${path}/${id}`, { method: "DELETE" })).status).toBe(401);
  const headers = { authorization: `Bearer ${operatorToken}` };
  expect(await (await server.ask(`${path}/${id}`, { method: "DELETE", headers })).json()).toEqual({ erased: true });
  expect((await server.ask(`${path}/${"0".repeat(16)}`, { method: "DELETE", headers })).status).toBe(404);
});
