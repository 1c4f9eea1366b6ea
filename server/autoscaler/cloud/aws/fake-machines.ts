/**
 * Machines for the EC2 that stands in: each is a real shell that runs its user data beside an instance metadata service, so
 * that the real start-up script fetches and starts the real worker. What the script's shutdown does is to end the machine.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, dirname, join } from "node:path";
import type { FakeEc2 } from "./fake-ec2.ts";

export interface Booted {
  id: string;
  /** When its script began: this EC2 takes no time to make it. */
  madeMs: number;
  child: ChildProcess;
}

export class FakeMachines {
  readonly booted = new Map<string, Booted>();
  /** Instances that EC2 takes back, as their metadata say. */
  readonly interrupted = new Set<string>();
  #server: Server | null = null;
  #url = "";

  constructor(
    private readonly cloud: FakeEc2,
    private readonly folder: string,
    /** Where the machines find their commands. */
    private readonly path: string,
  ) {}

  async start(): Promise<this> {
    const server = createServer(({ url = "", method }, response) => {
      const [, id = "", ...rest] = url.split("/");
      const path = rest.join("/");
      if (method === "PUT" && path === "latest/api/token") response.end("session");
      else if (path === "latest/meta-data/instance-id") response.end(id);
      else if (path === "latest/meta-data/spot/instance-action" && this.interrupted.has(id))
        response.end(JSON.stringify({ action: "terminate", time: new Date(Date.now() + 120_000).toISOString() }));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#server = server;
    this.#url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.cloud.hardware = {
      // After EC2 has answered.
      begin: (id, userData) => void setImmediate(() => this.#boot(id, userData)),
      end: (id) => this.#kill(id),
    };
    return this;
  }

  async stop(): Promise<void> {
    this.cloud.hardware = null;
    for (const id of this.booted.keys()) this.#kill(id);
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve) ?? resolve(null));
  }

  /** Milliseconds since 1970 at which the script came to a line that has `text`; null where it has not. */
  reached(id: string, text: string): number | null {
    const trace = readFileSync(join(this.folder, id, "trace"), "utf8");
    const line = trace.split("\n").find((each) => each.startsWith("+") && each.includes(text));
    const [, seconds] = /^\++(\d+[.,]\d+) /.exec(line ?? "") ?? [];
    return seconds === undefined ? null : Number(seconds.replace(",", ".")) * 1_000;
  }

  #boot(id: string, userData: string): void {
    if (this.cloud.machines.get(id)?.state !== "running") return;
    const home = join(this.folder, id);
    mkdirSync(join(home, "bin"), { recursive: true });
    for (const [name, script] of [
      // With a time it is a timer, which tests are too short for.
      ["shutdown", '#!/bin/sh\n[ "$2" = now ] && kill -KILL -$QUEZTL_MACHINE\nexit 0\n'],
      ["poweroff", "#!/bin/sh\nkill -KILL -$QUEZTL_MACHINE\n"],
    ] as const) {
      writeFileSync(join(home, "bin", name), script);
      chmodSync(join(home, "bin", name), 0o755);
    }
    // Traced, with the time of each line; a group of its own, so that all of it ends.
    const script = `export QUEZTL_MACHINE=$$ PS4='+$EPOCHREALTIME '; exec 9>"${join(home, "trace")}"; BASH_XTRACEFD=9; set -x\n${userData}`;
    const child = spawn("bash", ["-c", script], {
      detached: true,
      stdio: "ignore",
      env: {
        PATH: [join(home, "bin"), dirname(process.execPath), this.path].join(delimiter),
        ...{ HOME: home, QUEZTL_ROOT: join(home, "root"), QUEZTL_IMDS: `${this.#url}/${id}` },
      },
    });
    this.booted.set(id, { id, madeMs: Date.now(), child });
    child.once("exit", () => {
      this.#kill(id);
      const machine = this.cloud.machines.get(id);
      if (machine) machine.state = "terminated";
    });
  }

  #kill(id: string): void {
    const pid = this.booted.get(id)?.child.pid;
    try {
      if (pid !== undefined) process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
}
