/** The pieces of access control by themselves. */
import { expect, test } from "vitest";
import type { KeyRecord } from "../store/store.ts";
import { network } from "./access.ts";
import { hostName, isLoopbackAddress, isLoopbackHost, originAuthority } from "./addresses.ts";
import { Buckets } from "./buckets.ts";
import { Keyring } from "./keyring.ts";
import { peerOwner } from "./peer-owner.ts";
import { readCookie, Sessions, sessionsMax } from "./sessions.ts";

test("loopback is the interface, not names that look like it", () => {
  for (const yes of ["127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"]) expect(isLoopbackAddress(yes)).toBe(true);
  for (const no of ["128.0.0.1", "::2", "::ffff:10.0.0.1", "localhost", "", "127.1"])
    expect(isLoopbackAddress(no)).toBe(false);
  expect(isLoopbackHost("localhost")).toBe(true);
  // Resolvers treat these differently; whoever owns a name may point it anywhere.
  for (const no of ["sub.localhost", "127.0.0.1.nip.io", "2130706433", "0.0.0.0"])
    expect(isLoopbackHost(no)).toBe(false);
});

test("host names of authorities", () => {
  expect(hostName("Grid.Example.:8000")).toBe("grid.example");
  expect(hostName("[::1]:80")).toBe("::1");
  for (const none of ["", "a b", "[::1", "a/b", "a@b", "[localhost]", "::1", "a:b", "a,b"])
    expect(hostName(none)).toBeNull();
  expect(originAuthority("http://localhost:1")).toBe("localhost:1");
  for (const none of ["null", "file://", "http://a/b", "http://a@b", "https://"])
    expect(originAuthority(none)).toBeNull();
});

test("a bucket gives its burst, then its rate, and forgets the least recently used name", () => {
  let now = 0;
  const buckets = new Buckets({ perSecond: 2, burst: 3 }, () => now, 2);
  expect([1, 2, 3, 4].map(() => buckets.take("a"))).toEqual([0, 0, 0, 1]);
  now = 500;
  expect([buckets.wait("a"), buckets.take("a"), buckets.take("a")]).toEqual([0, 0, 1]);
  // A clock that goes back gives nothing and takes nothing.
  now = 0;
  expect(buckets.take("a")).toBe(1);
  buckets.take("b");
  buckets.take("a");
  buckets.take("c");
  expect(buckets.size).toBe(2);
  expect(buckets.take("a")).toBe(1);
});

test("networks: IPv4 by address, IPv6 by /64", () => {
  expect(network("203.0.113.1")).toBe("203.0.113.1");
  expect(network("2001:db8:1:2:3:4:5:6")).toBe(network("2001:db8:1:2::9"));
  expect(network("2001:db8::1")).toBe(network("2001:db8:0:0:ffff::"));
  expect(network("2001:db8:1::")).not.toBe(network("2001:db8:2::"));
});

const table = (rows: string[]): string =>
  `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n${rows.join("\n")}\n`;
const line = (local: string, remote: string, state: string, uid: number): string =>
  `   1: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 123 1 0000000000000000 20 4 30 10 -1`;

test("the peer's owner, from the system's tables", async () => {
  const connection = { remoteAddress: "127.0.0.1", remotePort: 0x9c40, localAddress: "127.0.0.1", localPort: 0x1f40 };
  const [ours, theirs] = ["0100007F:1F40", "0100007F:9C40"];
  const read =
    (tcp: string, tcp6 = "") =>
    async (path: string) =>
      path.endsWith("tcp6") ? tcp6 : tcp;
  const both = (state: string) => table([line(ours, theirs, "01", 0), line(theirs, ours, state, 33)]);
  expect(await peerOwner(connection, read(both("01")))).toBe(33);
  // Closing sockets are listed with uid 0, whoever had them.
  expect(await peerOwner(connection, read(both("05")))).toBe("gone");
  expect(await peerOwner(connection, read(table([line(ours, theirs, "01", 0)])))).toBe("gone");
  expect(await peerOwner(connection, read(table([])))).toBe("unknown");
  const mapped = (hex: string) => `0000000000000000FFFF0000${hex}`;
  const dual = { ...connection, remoteAddress: "::ffff:127.0.0.1", localAddress: "::ffff:127.0.0.1" };
  expect(await peerOwner(dual, read("", table([line(mapped(theirs), mapped(ours), "01", 7)])))).toBe(7);
  expect(await peerOwner(dual, read(both("01")))).toBe(33);
  const six = { ...connection, remoteAddress: "::1", localAddress: "::1" };
  const one = "00000000000000000000000001000000";
  expect(await peerOwner(six, read("", table([line(`${one}:9C40`, `${one}:1F40`, "01", 8)])))).toBe(8);
});

test("keys survive a restart as hashes; a key that was not saved is not good", async () => {
  const records: KeyRecord[] = [];
  let full = false;
  const store = {
    list: () => records,
    save: async (record: KeyRecord) => {
      if (full) throw new Error("disk full");
      records.push(record);
    },
  };
  const ring = new Keyring(store, () => 1);
  const { key, view } = await ring.create("x", ["submit"]);
  expect(ring.verify(key)).toMatchObject({ kind: "key", id: view.key_id, scopes: ["submit"] });
  expect(new Keyring(store, () => 1).verify(key)?.id).toBe(view.key_id);
  for (const wrong of [
    "",
    "qk_",
    key.slice(0, -1),
    `${key}x`,
    key.replace(view.key_id, "0".repeat(16)),
    `${key.slice(0, -2)}AA`,
  ]) {
    expect(ring.verify(wrong)).toBeNull();
  }
  full = true;
  await expect(ring.create("y", ["submit"])).rejects.toThrow("disk full");
  expect(ring.list()).toHaveLength(1);
  // A revocation that could not be written holds while this process lives.
  await expect(ring.revoke(view.key_id)).rejects.toThrow("disk full");
  expect(ring.verify(key)).toBeNull();
});

test("sessions are few, and cookies are found by their exact name", () => {
  const sessions = new Sessions(() => 0);
  const first = sessions.begin().cookie;
  for (let count = 0; count < sessionsMax; count++) sessions.begin();
  expect([sessions.size, sessions.find(first)]).toEqual([sessionsMax, null]);
  expect(readCookie("a=1; queztl_session=x=y ;b=2", "queztl_session")).toBe("x=y");
  expect(readCookie("xqueztl_session=1", "queztl_session")).toBeNull();
});
