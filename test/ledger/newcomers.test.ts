/** Identities are free to make: a network may bring only so many in an hour. */
import { expect, it } from "vitest";
import { FakeNode } from "../../server/testing/fake-node.ts";
import { joinToken, parts, start, until } from "./world.ts";

it("a network that brought many new identities brings no more; old ones, own nodes and others may come", async () => {
  const made = parts();
  let coordinator = await start(made, { newIdentitiesPerHour: 2 });
  const join = (address: string, token: string | null = null): FakeNode =>
    new FakeNode({ joinToken: token, address }).join(coordinator);
  const welcome = (node: FakeNode) => until(() => node.heard.some(({ type }) => type === "welcome"));
  const first = join("203.0.113.1");
  await welcome(first);
  await welcome(join("203.0.113.2"));
  const third = join("203.0.113.3");
  await until(() => third.closed);
  expect(third.refusal()).toMatchObject({ code: "too_many_identities", retryMs: expect.any(Number) });
  expect(third.refusal()?.message).toContain("203.0.113.0/24");
  await welcome(join("203.0.114.1"));
  await welcome(join("203.0.113.9", joinToken));
  for (let count = 0; count < 5; count++) await welcome(join("127.0.0.1"));
  first.leave();
  await welcome(first.join(coordinator));
  // What the record knows is known after a restart, too.
  await coordinator.stop();
  coordinator = await start(made, { newIdentitiesPerHour: 1 });
  await welcome(join("203.0.113.40"));
  first.heard.length = 0;
  await welcome(first.join(coordinator));
  const another = join("203.0.113.41");
  await until(() => another.closed);
  await coordinator.stop();
});
