/** The coordinator with instances on this machine, as a program, and what can be seen of it from outside. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { NodeView } from "../../protocol/rest.ts";
import type { AutoscalerStatus } from "../../protocol/scaling.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class ScalingProgram {
  readonly #folder = mkdtempSync(join(tmpdir(), "queztl-bench-scaling-"));
  readonly #child: ChildProcess;
  readonly #url: Promise<string>;

  constructor(scaling: readonly string[], env: Record<string, string> = {}) {
    const args = [
      ...["--import", "tsx", "server/main.ts", "--json", "--host", "127.0.0.1", "--port", "0", "--no-worker"],
      ...["--data", this.#folder, "--scale-cooldown=1", ...scaling],
    ];
    this.#child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const lines = createInterface({ input: this.#child.stderr! });
    this.#url = new Promise((resolve, reject) => {
      lines.on("line", (line) => {
        const match = /"code":"listening".*:(\d+)"/.exec(line);
        if (match) resolve(`http://127.0.0.1:${match[1]}`);
      });
      this.#child.on("exit", (code) => reject(new Error(`The coordinator ended (${code}).`)));
    });
  }

  /** Waits until `holds`; answers the milliseconds it took. */
  async until(what: string, holds: () => Promise<boolean>, msMax = 240_000): Promise<number> {
    const startedMs = performance.now();
    while (!(await holds())) {
      if (performance.now() - startedMs > msMax) throw new Error(`Not within ${msMax / 1000} s: ${what}`);
      await sleep(50);
    }
    return performance.now() - startedMs;
  }

  status(): Promise<AutoscalerStatus> {
    return this.#ask("/api/v1.2/autoscaler/status");
  }

  async nodes(): Promise<NodeView[]> {
    return (await this.#ask<{ nodes: NodeView[] }>("/api/v1.2/nodes")).nodes;
  }

  submit(iterations: number): Promise<{ task_id: string }> {
    const body = { workload_type: "monte_carlo", payload: { iterations }, supply: "paid" };
    return this.#ask("/api/v1.2/workload/submit", body);
  }

  /** Waits for an accepted slice of the one instance there is; answers when, in ms since 1970. */
  async firstSlice(): Promise<number> {
    await this.until("a slice is accepted", async () => {
      const instance = (await this.status()).instances.find(({ state }) => state === "REGISTERED");
      const node = (await this.nodes()).find(({ node_id }) => node_id === instance?.node_id);
      return (node?.accepted_slices ?? 0) > 0;
    });
    return Date.now();
  }

  cancel(id: string): Promise<unknown> {
    return this.#ask(`/api/v1.2/workload/${id}`, undefined, "DELETE");
  }

  scale(action: "up" | "down" | "release", count = 1): Promise<AutoscalerStatus> {
    return this.#ask("/api/v1.2/scale/manual", { action, count });
  }

  /** Of each instance's process, in bytes: what it holds, and its share of what it has with others (Linux). */
  memory(): { residentBytes: number; shareBytes: number | null }[] {
    const lines = execFileSync("ps", ["-eo", "pid=,rss=,args="], { encoding: "utf8" }).split("\n");
    return lines.flatMap((line) => {
      const match = /^\s*(\d+)\s+(\d+) .*worker\.mjs.*--data (\S+)/.exec(line);
      if (!match?.[3]?.startsWith(this.#folder)) return [];
      return [{ residentBytes: Number(match[2]) * 1024, shareBytes: shareOf(Number(match[1])) }];
    });
  }

  coordinatorBytes(): number {
    return Number(execFileSync("ps", ["-o", "rss=", "-p", String(this.#child.pid)], { encoding: "utf8" })) * 1024;
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#url.catch(() => {});
    this.#child.kill("SIGTERM");
    await gone;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #operatorToken(): string {
    const secrets = JSON.parse(readFileSync(join(this.#folder, "secrets.json"), "utf8")) as { operatorToken: string };
    return secrets.operatorToken;
  }

  async #ask<T>(path: string, body?: unknown, method = body === undefined ? "GET" : "POST"): Promise<T> {
    const answer = await fetch(`${await this.#url}${path}`, {
      method,
      headers: { "content-type": "application/json", authorization: `Bearer ${this.#operatorToken()}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }
}

/** Proportional set size: pages that several processes share are divided among them. */
function shareOf(pid: number): number | null {
  try {
    const match = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
    return match ? Number(match[1]) * 1024 : null;
  } catch {
    return null;
  }
}
