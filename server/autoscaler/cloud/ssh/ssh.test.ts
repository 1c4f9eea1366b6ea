/** The ssh adapter by real shells and real processes, each machine a folder of this one. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { providerConformance } from "../conformance.ts";
import { CloudError } from "../provider.ts";
import { Ssh } from "./remote.ts";
import { SshProvider, sshOptions } from "./ssh.ts";
import { wakeBy } from "./wake.ts";

const isWindows = process.platform === "win32";
const worker = `
import { writeFileSync } from "node:fs";
writeFileSync("told.json", JSON.stringify({ token: process.env.QUEZTL_JOIN_TOKEN, args: process.argv.slice(2) }));
process.on("SIGTERM", () => process.exit(0));
setInterval(() => {}, 1000);
`;
let server: Server;
let url: string;
const folder = mkdtempSync(join(tmpdir(), "queztl-ssh-"));
/** In ssh's place: the host, which comes before "sh -s", is a home of its own. */
const ssh = join(folder, "ssh");

beforeAll(async () => {
  server = createServer((_, response) => response.end(worker));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(
    ssh,
    `#!/bin/sh
while [ "$1" = -o ]; do shift 2; done
host=$1
case "$host" in *away*) echo "ssh: connect to host $host port 22: No route to host" >&2; exit 255 ;; esac
case "$host" in *sleepy*) [ -f "${folder}/awake-$host" ] || { echo "ssh: connect to host $host port 22: Connection timed out" >&2; exit 255; } ;; esac
case "$host" in *locked*) echo "$host: Permission denied (publickey)." >&2; exit 255 ;; esac
export HOME=${folder}/$host PATH=${dirname(process.execPath)}:$PATH
mkdir -p "$HOME"
exec sh -s
`,
  );
  chmodSync(ssh, 0o755);
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

let pools = 0;
const poolOf = (hosts: string[], mac: string | null = null) => hosts.map((host) => ({ host, mac }));
const open = (hosts: string[]) =>
  new SshProvider({ pool: poolOf(hosts), remote: new Ssh(ssh), wake: async () => {}, log: () => {} });

if (!isWindows) {
  providerConformance(
    "ssh",
    async () => {
      const pool = ++pools;
      const hosts = ["a", "b", "c"].map((name) => `ada@${name}${pool}`);
      const make = () => open(hosts);
      return {
        provider: make(),
        again: make,
        until: async (done) => expect.poll(done, { timeout: 8_000 }).toBe(true),
        remove: async () => {
          const left = await make().list("conformance");
          await make().terminate(left.map(({ id }) => id));
        },
        coordinatorUrl: url,
      };
    },
    { timeoutMs: 20_000 },
  );
}

describe.skipIf(isWindows)("a pool of machines", () => {
  const order = (token: string, offerings: Awaited<ReturnType<SshProvider["offerings"]>>, count = 2) => ({
    ...{ token, cluster: "c", offerings, count },
    boot: { coordinatorUrl: `${url}/`, joinToken: "it's", lifetimeMs: 60_000, silenceMs: 30_000 },
  });

  it("has one worker on each, the same for the same order, found and ended by another process", async () => {
    const hosts = ["x1", "x2", "x3"];
    const provider = open(hosts);
    const offerings = await provider.offerings();
    expect(offerings.map(({ type, price }) => [type, price.dollarsPerHour])).toEqual(hosts.map((host) => [host, 0]));
    expect(offerings[0]?.cores).toBeGreaterThan(0);
    expect(offerings[0]?.memoryBytes).toBeGreaterThan(2 ** 28);
    const made = order("order-1", offerings);
    const [first, second] = await Promise.all([provider.launch(made), provider.launch(made)]);
    expect(first.instances).toHaveLength(2);
    expect(second.instances).toEqual(first.instances);
    expect((await provider.launch(order("order-2", offerings))).instances).toHaveLength(1);
    const full = await provider.launch(order("order-3", offerings)).catch((error: unknown) => error);
    expect(full).toMatchObject({ code: "capacity" });
    const told = join(folder, "x1", ".queztl", "c", "order-1-0", "told.json");
    await expect.poll(() => existsSync(told)).toBe(true);
    await expect.poll(() => readFileSync(told, "utf8")).toContain("order-1-0");
    const { token, args } = JSON.parse(readFileSync(told, "utf8"));
    expect(token).toBe("it's:order-1-0");
    expect(args.join(" ")).toContain(`--coordinator ${url} `);
    expect(args.join(" ")).toContain("--end-after 60 --end-if-silent 30");
    const other = open(hosts);
    expect((await other.launch(made)).instances.map(({ id }) => id).sort()).toEqual(["order-1-0", "order-1-1"]);
    const all = (await other.list("c")).map(({ id }) => id);
    expect(all).toHaveLength(3);
    expect((await other.terminate(all)).accepted.sort()).toEqual([...all].sort());
    const running = async () => (await other.list("c")).filter(({ state }) => state === "running").length;
    await expect.poll(running, { timeout: 8_000 }).toBe(0);
    // The token is in no argument, and the folder is its owner's alone.
    expect(readdirSync(join(folder, "x1", ".queztl", "c", "order-1-0"))).not.toContain("token");
  }, 40_000);

  it("says of a machine that is away or locked what it is, and uses the others", async () => {
    const provider = open(["away1", "y1"]);
    const offerings = await provider.offerings();
    expect(offerings.map(({ type }) => type)).toEqual(["y1"]);
    // What cannot be asked may still run something.
    await expect(provider.list("c")).rejects.toMatchObject({ code: "unavailable" });
    await expect(open(["locked1"]).offerings()).rejects.toMatchObject({ code: "unauthorized" });
    await expect(
      new SshProvider({
        ...{ pool: poolOf(["z"]), remote: new Ssh(join(folder, "none")), wake: async () => {}, log: () => {} },
      }).offerings(),
    ).rejects.toThrow(/OpenSSH/);
    expect(new CloudError("unknown", "x").code).toBe("unknown");
  });

  it("wakes a machine that sleeps, by the packet that its card waits for, and lets it sleep while nothing is to do", async () => {
    const mac = "02:00:5e:10:00:ff";
    const host = "ada@sleepy1";
    const socket = createSocket("udp4").bind(0, "127.0.0.1");
    await once(socket, "listening");
    const packets: Buffer[] = [];
    socket.on("message", (packet) => {
      packets.push(packet);
      // It takes a moment to be up: the first try finds it asleep still.
      if (packets.length === 2) writeFileSync(join(folder, `awake-${host}`), "");
    });
    try {
      const options = { pool: [...poolOf([host], mac), ...poolOf(["ada@up1"])], remote: new Ssh(ssh), log: () => {} };
      const provider = new SshProvider({ ...options, wake: wakeBy(`127.0.0.1:${socket.address().port}`) });
      const asleep = await provider.offerings();
      expect(asleep.map(({ type, cores }) => [type, cores > 0])).toEqual([
        [host, true],
        ["ada@up1", true],
      ]);
      expect(await provider.list("c")).toEqual([]);
      // One that is up goes first, and nobody is woken for it.
      expect((await provider.launch(order("order-a", asleep, 1))).instances).toMatchObject([{ id: "order-a-0" }]);
      expect(packets).toHaveLength(0);
      const { instances } = await provider.launch(order("order-b", asleep, 1));
      expect(instances).toEqual([{ id: "order-b-0", offering: asleep[0]?.id }]);
      const card = Buffer.from("02005e1000ff", "hex");
      expect(packets[0]).toEqual(Buffer.concat([Buffer.alloc(6, 255), ...Array<Buffer>(16).fill(card)]));
      expect((await provider.list("c")).filter(({ state }) => state === "running")).toHaveLength(2);
      expect((await provider.offerings())[0]?.memoryBytes).toBeGreaterThan(2 ** 28);
      // Asleep again: nothing is listed there, and what is told to end there is as good as ended.
      rmSync(join(folder, `awake-${host}`));
      expect((await provider.list("c")).map(({ id }) => id)).toEqual(["order-a-0"]);
      expect(await provider.terminate(["order-b-0"])).toEqual({ accepted: ["order-b-0"], refusals: [] });
      const deaf = new SshProvider({ ...options, wake: wakeBy("127.0.0.1:9"), wakeMs: 100 });
      const refused = await deaf.launch(order("order-c", asleep, 1)).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: "capacity", message: expect.stringMatching(/sleepy1 sleeps or is off/) });
      writeFileSync(join(folder, `awake-${host}`), "");
      await provider.terminate(["order-a-0", "order-b-0"]);
    } finally {
      socket.close();
    }
  }, 40_000);

  it("takes names of hosts and nothing else", () => {
    expect(sshOptions({ QUEZTL_SSH_HOSTS: "ada@lab1, lab-2.example/00:11:22:AA:bb:cc" }).pool).toEqual([
      { host: "ada@lab1", mac: null },
      { host: "lab-2.example", mac: "00:11:22:AA:bb:cc" },
    ]);
    for (const hosts of ["", "-oProxyCommand=x", "a b", "a;b", "$(x)", "a/00:11:22", "a/b/c", "a/", "a,a"])
      expect(() => sshOptions({ QUEZTL_SSH_HOSTS: hosts })).toThrow(/QUEZTL_SSH_HOSTS/);
    for (const wake of ["here", "1.2.3.4:0", "1.2.3.4:99999"])
      expect(() => sshOptions({ QUEZTL_SSH_HOSTS: "a", QUEZTL_SSH_WAKE: wake })).toThrow(/QUEZTL_SSH_WAKE/);
  });
});
