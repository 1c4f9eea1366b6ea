/**
 * Worker processes on this machine as instances: the default provider, so that scaling can be watched without a cloud.
 * What a cloud keeps, a folder keeps: each instance has one, with its record, written before its process is started.
 * Processes end with the coordinator, since they hold its pipe as their standard input; and by themselves.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { readdir, readFile, rm } from "node:fs/promises";
import { freemem } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeFolderSync, syncFolder, writeAside } from "../../durable.ts";
import {
  CloudError,
  type CloudInstance,
  type CloudProvider,
  type LaunchOrder,
  type LaunchReply,
  type Offering,
  offeringId,
  type TerminateReply,
} from "./provider.ts";

export interface LocalProviderOptions {
  /** The worker as one file. */
  file: string;
  /** Folder of the instances' folders. */
  dir: string;
  /** Environment of the processes. */
  env: Readonly<Record<string, string | undefined>>;
  /** Of the machine. */
  memoryBytes: number;
  log(code: string, message: string): void;
}

interface Kept {
  id: string;
  token: string;
  cluster: string;
  offering: string;
  launchedAtMs: number;
  /** Null until it was started. */
  pid: number | null;
}

const stopMsMax = 4_000;
/** A process of one thread takes some 80 to 150 MB; the machine keeps this much for itself. */
const memoryLeftMin = 512 << 20;
/** Records of what has ended are kept so long: an order is not asked for again after it. */
const keptMs = 86_400_000;
const recordFile = "instance.json";
const ask = promisify(execFile);

export class LocalProvider implements CloudProvider {
  readonly name = "local";
  readonly priced = false;
  readonly #children = new Map<string, ChildProcess>();
  /** Launches of one order wait for one another. */
  readonly #launching = new Map<string, Promise<LaunchReply>>();
  readonly #ending = new Set<string>();
  #closed = false;

  constructor(private readonly options: LocalProviderOptions) {
    makeFolderSync(options.dir);
  }

  async offerings(): Promise<readonly Offering[]> {
    return [this.#offering()];
  }

  launch(order: LaunchOrder): Promise<LaunchReply> {
    const before = this.#launching.get(order.token);
    const launching = (async () => {
      await before?.catch(() => {});
      return this.#launch(order);
    })();
    this.#launching.set(order.token, launching);
    const forget = (): void => {
      if (this.#launching.get(order.token) === launching) this.#launching.delete(order.token);
    };
    launching.then(forget, forget);
    return launching;
  }

  async list(cluster: string): Promise<readonly CloudInstance[]> {
    const found: CloudInstance[] = [];
    for (const record of await this.#records()) {
      if (record.cluster !== cluster) continue;
      const alive = await this.#isAlive(record);
      if (!alive && Date.now() - record.launchedAtMs > keptMs) {
        await rm(this.#folder(record.id), { recursive: true, force: true });
        continue;
      }
      found.push({
        id: record.id,
        token: record.token,
        offering: record.offering,
        state: !alive ? "gone" : this.#ending.has(record.id) ? "ending" : "running",
        launchedAtMs: record.launchedAtMs,
        interruptionAtMs: null,
      });
    }
    return found;
  }

  async terminate(ids: readonly string[]): Promise<TerminateReply> {
    const records = new Map((await this.#records()).map((record) => [record.id, record]));
    for (const id of ids) {
      const record = records.get(id);
      if (record && (await this.#isAlive(record))) this.#end(record);
    }
    return { accepted: [...ids], refusals: [] };
  }

  /** Processes end with the coordinator in any case: here they may hand in what is finished. */
  async close(): Promise<void> {
    this.#closed = true;
    const children = [...this.#children.values()];
    await Promise.all(children.map((child) => ended(child)));
  }

  async #launch(order: LaunchOrder): Promise<LaunchReply> {
    if (this.#closed) throw new CloudError("unavailable", "The coordinator is stopping.");
    const offering = order.offerings.find(({ id }) => id === this.#offering().id);
    if (!offering) throw new CloudError("invalid", `This machine has only ${this.#offering().id}.`);
    const known = new Map((await this.#records()).map((record) => [record.id, record]));
    const reply: LaunchReply = { instances: [], refusals: [] };
    for (let n = 0; n < order.count; n++) {
      const id = `${order.token}-${n}`;
      const record = known.get(id);
      if (!record && freemem() < memoryLeftMin) {
        const message = `Only ${Math.round(freemem() / 2 ** 20)} MB of memory are free.`;
        reply.refusals.push({ offering: offering.id, code: "capacity", message });
        break;
      }
      // A record without a process was left by a coordinator that died in between.
      if (!record || record.pid === null) await this.#start(order, id, offering.id);
      reply.instances.push({ id, offering: offering.id });
    }
    const [refused] = reply.refusals;
    if (reply.instances.length === 0 && refused) throw new CloudError(refused.code, refused.message);
    return reply;
  }

  async #start(order: LaunchOrder, id: string, offering: string): Promise<void> {
    const folder = this.#folder(id);
    const { token, cluster, boot } = order;
    const record: Kept = { id, token, cluster, offering, launchedAtMs: Date.now(), pid: null };
    makeFolderSync(folder);
    await this.#keep(record);
    const args = [
      ...[this.options.file, "--coordinator", boot.coordinatorUrl, "--threads", "1", "--no-gpu"],
      ...["--data", folder, "--name", `instance ${id}`, "--with-parent"],
      ...["--end-after", String(Math.ceil(boot.lifetimeMs / 1000))],
      ...["--end-if-silent", String(Math.ceil(boot.silenceMs / 1000))],
    ];
    const child = spawn(process.execPath, args, {
      // The token goes by environment: arguments are readable by every user of the machine.
      env: { ...this.options.env, QUEZTL_JOIN_TOKEN: `${boot.joinToken}:${id}`, QUEZTL_MODE: "worker" },
      stdio: ["pipe", "ignore", "pipe"],
      // Ctrl-C reaches the coordinator, which ends its instances in order.
      detached: process.platform !== "win32",
    });
    this.#children.set(id, child);
    const said: string[] = [];
    child.stderr?.on("data", (data: Buffer) => {
      said.push(data.toString());
      if (said.length > 10) said.shift();
    });
    child.stdin?.on("error", () => {});
    child.on("error", (error) => this.options.log("instance", `${id}: ${error.message}`));
    child.on("exit", (code, signal) => {
      this.#children.delete(id);
      this.#ending.delete(id);
      const last = said.join("").trim().split("\n").at(-1) ?? "";
      if (code !== 0) this.options.log("instance", `The process of ${id} ended (${signal ?? code}). ${last}`);
    });
    if (child.pid !== undefined) await this.#keep({ ...record, pid: child.pid });
    if (child.pid === undefined) throw new CloudError("unavailable", "The process could not be started.");
  }

  #end(record: Kept): void {
    this.#ending.add(record.id);
    const child = this.#children.get(record.id);
    if (child) {
      void ended(child);
      return;
    }
    signal(record.pid, "SIGTERM");
    setTimeout(() => {
      void this.#isAlive(record).then((alive) => {
        if (alive) signal(record.pid, "SIGKILL");
        this.#ending.delete(record.id);
      });
    }, stopMsMax).unref();
  }

  async #isAlive({ id, pid }: Kept): Promise<boolean> {
    const child = this.#children.get(id);
    if (child) return child.exitCode === null && child.signalCode === null;
    // Of an earlier coordinator: the number may be another process's by now, so it must name the folder.
    return pid !== null && (await commandOf(pid)).includes(this.#folder(id));
  }

  async #keep(record: Kept): Promise<void> {
    const folder = this.#folder(record.id);
    await writeAside(join(folder, recordFile), JSON.stringify(record));
    await syncFolder(folder);
  }

  async #records(): Promise<Kept[]> {
    const names = await readdir(this.options.dir);
    const texts = await Promise.all(
      names.map((name) => readFile(join(this.options.dir, name, recordFile), "utf8").catch(() => null)),
    );
    return texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as Kept]));
  }

  #folder(id: string): string {
    return join(this.options.dir, id);
  }

  #offering(): Offering {
    return {
      id: offeringId("on_demand", "process", "here"),
      type: "process",
      region: "local",
      zone: "here",
      market: "on_demand",
      cores: 1,
      memoryBytes: this.options.memoryBytes,
      gpu: null,
      engines: [],
      price: { dollarsPerHour: 0, source: "this machine", asOfMs: Date.now() },
      bootMs: 2_000,
      interruptionsPerHour: 0,
    };
  }
}

/** Told to end, and killed when it does not. Resolves when it is gone. */
function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill("SIGTERM");
  });
}

function signal(pid: number | null, name: "SIGTERM" | "SIGKILL"): void {
  if (pid === null) return;
  try {
    process.kill(pid, name);
  } catch {
    // It has gone already.
  }
}

/** The command line of a process, or "" where there is none. */
async function commandOf(pid: number): Promise<string> {
  try {
    if (process.platform === "linux") return await readFile(`/proc/${pid}/cmdline`, "utf8");
    if (process.platform === "win32") {
      const query = `(Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}').CommandLine`;
      return (await ask("powershell", ["-NoProfile", "-Command", query])).stdout;
    }
    return (await ask("ps", ["-o", "command=", "-p", String(pid)])).stdout;
  } catch {
    return "";
  }
}
