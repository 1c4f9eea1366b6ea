/**
 * Machines that are there already, as a pool: one worker on each, started and ended over ssh. What a cloud keeps, a folder
 * on the machine keeps (~/.queztl/<cluster>/<instance>), so that another process of the coordinator finds it again.
 */
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
import { quoted } from "../quoted.ts";
import { type Remote, Ssh } from "./remote.ts";

export interface SshOptions {
  /** As ssh takes them: `user@host`, or a name of its configuration. */
  hosts: readonly string[];
  remote: Remote;
  log(code: string, message: string): void;
}

const hostsMax = 200;
/** A name that ssh could take for an option, or a shell for anything, is none. */
const hostPattern = /^[A-Za-z0-9_][A-Za-z0-9_.@:[\]-]{0,200}$/;

/** From QUEZTL_SSH_HOSTS (comma separated) and QUEZTL_SSH_COMMAND. Throws Error with the remedy. */
export function sshOptions(env: Readonly<Record<string, string | undefined>>): Omit<SshOptions, "log"> {
  const hosts = (env.QUEZTL_SSH_HOSTS ?? "")
    .split(",")
    .map((host) => host.trim())
    .filter((host) => host !== "");
  if (hosts.length === 0) throw new Error('No machines are named: set QUEZTL_SSH_HOSTS, as "ada@lab1,ada@lab2".');
  if (hosts.length > hostsMax) throw new Error(`QUEZTL_SSH_HOSTS names ${hosts.length} machines; at most ${hostsMax}.`);
  const odd = hosts.find((host) => !hostPattern.test(host));
  if (odd !== undefined) throw new Error(`QUEZTL_SSH_HOSTS names "${odd}", which is no host: write user@host.`);
  return { hosts, remote: new Ssh(env.QUEZTL_SSH_COMMAND || "ssh") };
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
const idPattern = /^[a-z0-9-]{1,80}$/;

export class SshProvider implements CloudProvider {
  readonly name = "ssh";
  readonly priced = false;
  #machines: { atMs: number; all: Machine[] } | null = null;
  /** Launches wait for one another: each looks for machines that are free. */
  #line: Promise<unknown> = Promise.resolve();
  /** Host of instances that were seen. */
  readonly #places = new Map<string, string>();

  constructor(private readonly options: SshOptions) {}

  async offerings(): Promise<readonly Offering[]> {
    if (!this.#machines || Date.now() - this.#machines.atMs > machineMs) {
      const found = await this.#onEach((host) => this.#describe(host));
      if (found.values.length === 0) throw found.failure ?? new CloudError("unavailable", "No machine answers.");
      this.#machines = { atMs: Date.now(), all: found.values };
    }
    return this.#machines.all.map(offeringOf);
  }

  launch(order: LaunchOrder): Promise<LaunchReply> {
    const launching = this.#line.then(() => this.#launch(order));
    this.#line = launching.catch(() => {});
    return launching;
  }

  async list(cluster: string): Promise<readonly CloudInstance[]> {
    return (await this.#list(cluster)).map(({ host: _, ...instance }) => instance);
  }

  async terminate(ids: readonly string[]): Promise<TerminateReply> {
    const reply: TerminateReply = { accepted: [], refusals: [] };
    const known = ids.filter((id) => idPattern.test(id));
    // Of ids that an earlier process launched any machine may have the folder.
    const { failure } = await this.#onEach(async (host) => {
      const here = known.filter((id) => (this.#places.get(id) ?? host) === host);
      if (here.length > 0) await this.options.remote.run(host, endScript(here));
    });
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
    const wanted = order.offerings.filter(({ type }) => this.options.hosts.includes(type));
    if (wanted.length === 0) throw new CloudError("invalid", `${order.offerings[0]?.type} is not in QUEZTL_SSH_HOSTS.`);
    const there = await this.#list(order.cluster);
    const mine = there.filter(({ token }) => token === order.token);
    const reply: LaunchReply = { instances: mine.map(({ id, host }) => ({ id, offering: idOf(host) })), refusals: [] };
    const busy = new Set(there.filter(({ state }) => state === "running").map(({ host }) => host));
    for (const { type: host, id: offering } of wanted) {
      if (reply.instances.length >= order.count) break;
      if (busy.has(host)) continue;
      const id = `${order.token}-${reply.instances.length}`;
      try {
        await this.options.remote.run(host, startScript(order, id));
        this.#places.set(id, host);
        reply.instances.push({ id, offering });
      } catch (error) {
        const { code, message } = error as CloudError;
        // What may have been started is found by its folder.
        if (code === "unknown") throw error;
        reply.refusals.push({ offering, code, message });
      }
    }
    if (reply.instances.length > 0) return reply;
    const [refused] = reply.refusals;
    throw refused
      ? new CloudError(refused.code, refused.message)
      : new CloudError("capacity", "Every machine of the pool has a worker.");
  }

  /** A machine that cannot be asked must not look empty: nothing of it may have gone. */
  async #list(cluster: string): Promise<Listed[]> {
    const { values, failure } = await this.#onEach(async (host) =>
      parse(host, await this.options.remote.run(host, listScript(cluster))),
    );
    if (failure) throw failure;
    const all = values.flat();
    for (const { id, host } of all) this.#places.set(id, host);
    return all;
  }

  async #describe(host: string): Promise<Machine> {
    const [cores, kibibytes] = (await this.options.remote.run(host, describeScript)).trim().split(/\s+/).map(Number);
    return { host, cores: cores || 1, memoryBytes: (kibibytes || 1 << 20) * 1024 };
  }

  async #onEach<T>(work: (host: string) => Promise<T>): Promise<{ values: T[]; failure: CloudError | null }> {
    const each = await Promise.allSettled(this.options.hosts.map(work));
    const values = each.flatMap((done) => (done.status === "fulfilled" ? [done.value] : []));
    const failed = each.find((done) => done.status === "rejected");
    if (failed) this.options.log("ssh", (failed.reason as Error).message);
    return { values, failure: (failed?.reason as CloudError | undefined) ?? null };
  }
}

const idOf = (host: string): string => offeringId("on_demand", host, "pool");

const offeringOf = ({ host, cores, memoryBytes }: Machine): Offering => ({
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
  bootMs,
  interruptionsPerHour: 0,
});

const root = '"$HOME/.queztl"';

const describeScript = `
cores=$(nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 1)
memory=$(awk '/^MemTotal/ { print $2 }' /proc/meminfo 2>/dev/null)
[ -n "$memory" ] || memory=$(( $(sysctl -n hw.memsize 2>/dev/null || echo 0) / 1024 ))
echo "$cores $memory"
`;

/** Prints a line for each folder: instance, order, seconds since 1970 of its start, and whether its process is there. */
const listScript = (cluster: string): string => `
cd ${root}/${quoted(cluster)} 2>/dev/null || exit 0
for id in *; do
  [ -f "$id/order" ] || continue
  pid=$(cat "$id/pid" 2>/dev/null || echo 0)
  state=gone
  # The number may be another process's by now.
  if [ "$pid" -gt 0 ] && kill -0 "$pid" 2>/dev/null && ps -o args= -p "$pid" | grep -q -- "$id"; then state=running; fi
  if [ "$state" = gone ] && [ -n "$(find "$id" -maxdepth 0 -mtime +1)" ]; then rm -rf "./$id"; continue; fi
  echo "$id $(cat "$id/order") $(cat "$id/started" 2>/dev/null || echo 0) $state"
done
`;

function parse(host: string, text: string): Listed[] {
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

/** The folder is the record: with its order in it, the same order is not started again. */
function startScript({ token, cluster, boot }: LaunchOrder, id: string): string {
  const coordinator = boot.coordinatorUrl.replace(/\/+$/, "");
  return `
set -e
umask 077
dir=${root}/${quoted(cluster)}/${quoted(id)}
[ -f "$dir/order" ] && exit 0
command -v node >/dev/null || { echo "node is not installed" >&2; exit 3; }
mkdir -p "$dir"
cd "$dir"
curl -sSf --max-time 15 -o worker.mjs ${quoted(`${coordinator}/worker.mjs`)}
date +%s > started
echo ${quoted(token)} > order
QUEZTL_JOIN_TOKEN=${quoted(`${boot.joinToken}:${id}`)} QUEZTL_MODE=worker nohup node worker.mjs \\
  --coordinator ${quoted(coordinator)} --data "$dir/data" --name ${quoted(`instance ${id}`)} \\
  --end-after ${Math.ceil(boot.lifetimeMs / 1000)} --end-if-silent ${Math.ceil(boot.silenceMs / 1000)} \\
  </dev/null >log 2>&1 &
echo $! > pid
`;
}

/** Told to end, and killed where it does not within four seconds. */
const endScript = (ids: readonly string[]): string => `
cd ${root} 2>/dev/null || exit 0
for id in ${ids.map(quoted).join(" ")}; do
  for dir in */"$id"; do
    pid=$(cat "$dir/pid" 2>/dev/null || echo 0)
    [ "$pid" -gt 0 ] && ps -o args= -p "$pid" | grep -q -- "$id" || continue
    kill -TERM "$pid" 2>/dev/null || continue
    ( for n in 1 2 3 4 5 6 7 8; do sleep 0.5; kill -0 "$pid" 2>/dev/null || exit 0; done; kill -KILL "$pid" ) >/dev/null 2>&1 &
  done
done
`;
