/**
 * Machines that are there already, as a pool: one worker on each, started and ended over ssh. One whose card's address is
 * known may sleep while it has nothing to do: it is woken for work, and counts as empty where it does not answer.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  CloudError,
  type CloudInstance,
  type CloudProvider,
  type LaunchOrder,
  type LaunchReply,
  type Offering,
  offeringId,
  type TerminateReply,
} from "../provider.ts";
import { type Remote, Ssh } from "./remote.ts";
import { describeScript, endScript, listScript, startScript } from "./scripts.ts";
import { macPattern, type Wake, wakeBy } from "./wake.ts";

export interface PoolMachine {
  /** As ssh takes it: `user@host`, or a name of its configuration. */
  host: string;
  /** The address of its network card, where it may be woken by that. */
  mac: string | null;
}

export interface SshOptions {
  pool: readonly PoolMachine[];
  remote: Remote;
  wake: Wake;
  /** How long a woken machine has until it must answer. */
  wakeMs?: number;
  log(code: string, message: string): void;
}

const hostsMax = 200;
/** A name that ssh could take for an option, or a shell for anything, is none. */
const hostPattern = /^[A-Za-z0-9_][A-Za-z0-9_.@:[\]-]{0,200}$/;

/** From QUEZTL_SSH_HOSTS (comma separated), QUEZTL_SSH_COMMAND and QUEZTL_SSH_WAKE. Throws Error with the remedy. */
export function sshOptions(env: Readonly<Record<string, string | undefined>>): Omit<SshOptions, "log"> {
  const named = (env.QUEZTL_SSH_HOSTS ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (named.length === 0) throw new Error('No machines are named: set QUEZTL_SSH_HOSTS, as "ada@lab1,ada@lab2".');
  if (named.length > hostsMax) throw new Error(`QUEZTL_SSH_HOSTS names ${named.length} machines; at most ${hostsMax}.`);
  const pool = named.map(poolMachine);
  const twice = pool.find(({ host }, at) => pool.findIndex((other) => other.host === host) !== at);
  if (twice) throw new Error(`QUEZTL_SSH_HOSTS names ${twice.host} twice.`);
  return { pool, remote: new Ssh(env.QUEZTL_SSH_COMMAND || "ssh"), wake: wakeBy(env.QUEZTL_SSH_WAKE || undefined) };
}

function poolMachine(name: string): PoolMachine {
  const [host = "", mac, ...more] = name.split("/");
  if (!hostPattern.test(host) || more.length > 0)
    throw new Error(`QUEZTL_SSH_HOSTS names "${name}", which is no host: write user@host.`);
  if (mac !== undefined && !macPattern.test(mac))
    throw new Error(`QUEZTL_SSH_HOSTS names "${name}": after the slash goes a card's address, as 00:11:22:aa:bb:cc.`);
  return { host, mac: mac ?? null };
}

interface Machine {
  host: string;
  cores: number;
  memoryBytes: number;
}

interface Listed extends CloudInstance {
  host: string;
}

const machineMs = 10 * 60_000;
const bootMs = 5_000;
/** With the look before it and the start after it this is within what a call may take. */
const wakeMsMax = 25_000;
/** Between two packets to the same machine. */
const wakeRetryMs = 2_000;
const wakeBootMs = 20_000;
/** What is taken of a machine that was asleep whenever it was asked. */
const unseen = { cores: 1, memoryBytes: 2 ** 30 };
const idPattern = /^[a-z0-9-]{1,80}$/;

export class SshProvider implements CloudProvider {
  readonly name = "ssh";
  readonly priced = false;
  readonly #cards: ReadonlyMap<string, string>;
  readonly #known = new Map<string, Machine>();
  #machines: { atMs: number; all: Machine[] } | null = null;
  /** Launches wait for one another: each looks for machines that are free. */
  #line: Promise<unknown> = Promise.resolve();
  /** Host of instances that were seen. */
  readonly #places = new Map<string, string>();

  constructor(private readonly options: SshOptions) {
    this.#cards = new Map(options.pool.flatMap(({ host, mac }) => (mac ? [[host, mac]] : [])));
  }

  async offerings(): Promise<readonly Offering[]> {
    if (!this.#machines || Date.now() - this.#machines.atMs > machineMs) {
      const lastKnown = (host: string): Machine => this.#known.get(host) ?? { host, ...unseen };
      const found = await this.#onEach((host) => this.#describe(host), lastKnown);
      if (found.values.length === 0) throw found.failure ?? new CloudError("unavailable", "No machine answers.");
      this.#machines = { atMs: Date.now(), all: found.values };
    }
    return this.#machines.all.map((machine) => offeringOf(machine, this.#cards.has(machine.host)));
  }

  launch(order: LaunchOrder): Promise<LaunchReply> {
    const launching = this.#line.then(() => this.#launch(order));
    this.#line = launching.catch(() => {});
    return launching;
  }

  async list(cluster: string): Promise<readonly CloudInstance[]> {
    return (await this.#list(cluster)).there.map(({ host: _, ...instance }) => instance);
  }

  async terminate(ids: readonly string[]): Promise<TerminateReply> {
    const reply: TerminateReply = { accepted: [], refusals: [] };
    const known = ids.filter((id) => idPattern.test(id));
    // Of ids that an earlier process launched any machine may have the folder.
    const end = async (host: string): Promise<void> => {
      const here = known.filter((id) => (this.#places.get(id) ?? host) === host);
      if (here.length > 0) await this.options.remote.run(host, endScript(here));
    };
    // On a machine that sleeps nothing runs; its worker ends by itself when it wakes, or is found and told to.
    const { failure } = await this.#onEach(end, () => {});
    for (const id of ids) {
      const host = this.#places.get(id);
      if (failure && (host === undefined || failure.message.startsWith(host))) {
        reply.refusals.push({ id, code: failure.code, message: failure.message });
      } else reply.accepted.push(id);
    }
    if (reply.accepted.length === 0 && failure) throw failure;
    return reply;
  }

  async close(): Promise<void> {}

  async #launch(order: LaunchOrder): Promise<LaunchReply> {
    const wanted = order.offerings.filter(({ type }) => this.options.pool.some(({ host }) => host === type));
    if (wanted.length === 0) throw new CloudError("invalid", `${order.offerings[0]?.type} is not in QUEZTL_SSH_HOSTS.`);
    const { there, asleep } = await this.#list(order.cluster);
    const mine = there.filter(({ token }) => token === order.token);
    const reply: LaunchReply = { instances: mine.map(({ id, host }) => ({ id, offering: idOf(host) })), refusals: [] };
    const busy = new Set(there.filter(({ state }) => state === "running").map(({ host }) => host));
    const free = wanted.map(({ type }) => type).filter((host) => !busy.has(host));
    await this.#startOn(
      free.filter((host) => !asleep.has(host)),
      order,
      reply,
    );
    const missing = order.count - reply.instances.length;
    const sleepers = free.filter((host) => asleep.has(host)).slice(0, Math.max(0, missing));
    await this.#startOn(await this.#woken(sleepers, reply), order, reply);
    if (reply.instances.length > 0) return reply;
    const [refused] = reply.refusals;
    throw refused
      ? new CloudError(refused.code, refused.message)
      : new CloudError("capacity", "Every machine of the pool has a worker.");
  }

  async #startOn(hosts: readonly string[], order: LaunchOrder, reply: LaunchReply): Promise<void> {
    for (const host of hosts) {
      if (reply.instances.length >= order.count) return;
      const id = freeId(order.token, reply);
      try {
        await this.options.remote.run(host, startScript(order, id));
        this.#places.set(id, host);
        reply.instances.push({ id, offering: idOf(host) });
      } catch (error) {
        const { code, message } = error as CloudError;
        // What may have been started is found by its folder.
        if (code === "unknown") throw error;
        reply.refusals.push({ offering: idOf(host), code, message });
      }
    }
  }

  /** Wakes them, all at once; those that answer in time. */
  async #woken(hosts: readonly string[], reply: LaunchReply): Promise<string[]> {
    if (hosts.length === 0) return [];
    const wakeMs = this.options.wakeMs ?? wakeMsMax;
    const answers = await Promise.all(hosts.map((host) => this.#answers(host, Date.now() + wakeMs)));
    // What they are was not known while they slept.
    this.#machines = null;
    for (const [at, host] of hosts.entries()) {
      if (answers[at]) continue;
      const message = `${host} sleeps or is off, and did not answer within ${wakeMs / 1000} s of being woken.`;
      reply.refusals.push({ offering: idOf(host), code: "capacity", message });
    }
    return hosts.filter((_, at) => answers[at]);
  }

  async #answers(host: string, untilMs: number): Promise<boolean> {
    const mac = this.#cards.get(host) as string;
    for (;;) {
      await this.options.wake(mac).catch((error: Error) => this.options.log("ssh", `Waking ${host}: ${error.message}`));
      const isUp = await this.options.remote.run(host, "exit 0").then(
        () => true,
        () => false,
      );
      if (isUp) return true;
      if (Date.now() + wakeRetryMs > untilMs) return false;
      await sleep(wakeRetryMs);
    }
  }

  /**
   * A machine that cannot be asked must not look empty: nothing of it may have gone. One that may sleep is the exception:
   * what ran there stands still, and is found again, as an orphan, when it wakes.
   */
  async #list(cluster: string): Promise<{ there: Listed[]; asleep: Set<string> }> {
    const asleep = new Set<string>();
    const { values, failure } = await this.#onEach(
      async (host) => listed(host, await this.options.remote.run(host, listScript(cluster))),
      (host) => {
        asleep.add(host);
        return [];
      },
    );
    if (failure) throw failure;
    const there = values.flat();
    for (const { id, host } of there) this.#places.set(id, host);
    return { there, asleep };
  }

  async #describe(host: string): Promise<Machine> {
    const [cores, kibibytes] = (await this.options.remote.run(host, describeScript)).trim().split(/\s+/).map(Number);
    const machine = { host, cores: cores || 1, memoryBytes: (kibibytes || 1 << 20) * 1024 };
    this.#known.set(host, machine);
    return machine;
  }

  /** `ifAsleep` stands for one that may sleep and cannot be reached. */
  async #onEach<T>(
    work: (host: string) => Promise<T>,
    ifAsleep: (host: string) => T,
  ): Promise<{ values: T[]; failure: CloudError | null }> {
    const each = await Promise.allSettled(
      this.options.pool.map(({ host, mac }) =>
        work(host).catch((error: CloudError) => {
          if (mac === null || error.code !== "unavailable") throw error;
          return ifAsleep(host);
        }),
      ),
    );
    const values = each.flatMap((done) => (done.status === "fulfilled" ? [done.value] : []));
    const failed = each.find((done) => done.status === "rejected");
    if (failed) this.options.log("ssh", (failed.reason as Error).message);
    return { values, failure: (failed?.reason as CloudError | undefined) ?? null };
  }
}

/** Of an order's instances some may be on machines that cannot be asked now: the names of those that can are taken. */
function freeId(token: string, { instances }: LaunchReply): string {
  const taken = new Set(instances.map(({ id }) => id));
  let at = instances.length;
  while (taken.has(`${token}-${at}`)) at++;
  return `${token}-${at}`;
}

const idOf = (host: string): string => offeringId("on_demand", host, "pool");

const offeringOf = ({ host, cores, memoryBytes }: Machine, maySleep: boolean): Offering => ({
  id: idOf(host),
  type: host,
  region: "pool",
  zone: null,
  market: "on_demand",
  cores,
  memoryBytes,
  gpu: null,
  engines: [],
  price: { dollarsPerHour: 0, source: "own machines", asOfMs: Date.now() },
  bootMs: maySleep ? wakeBootMs : bootMs,
  interruptionsPerHour: 0,
});

/** From what `listScript` printed. */
function listed(host: string, text: string): Listed[] {
  return text.split("\n").flatMap((line) => {
    const [id = "", token = "", started = "0", state = ""] = line.trim().split(" ");
    if (!idPattern.test(id)) return [];
    const isRunning = state === "running";
    return [
      {
        host,
        id,
        token,
        offering: idOf(host),
        state: isRunning ? "running" : "gone",
        launchedAtMs: Number(started) * 1000,
        interruptionAtMs: null,
      } as const,
    ];
  });
}
