/**
 * A Chromium driven by its DevTools protocol alone. Playwright keeps every page visible (it emulates focus), so tabs that
 * are really hidden or frozen need a browser without it.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { chromiumFlags, findChromium } from "../../scripts/chromium.mjs";
import { until } from "./grid-process.ts";

export interface RawTab {
  /** The value of an expression, awaited. */
  evaluate<T>(expression: string): Promise<T>;
  /** In front of all others, which are hidden then. */
  activate(): Promise<void>;
  lifecycle(state: "frozen" | "active"): Promise<void>;
  reload(): Promise<void>;
  close(): Promise<void>;
}

export interface RawChromium {
  open(url: string): Promise<RawTab>;
  /** Stops all its processes where they are, or lets them go on: a device that says nothing, and closes nothing. Linux only. */
  halt(halted: boolean): void;
  /** SIGKILL for all its processes. Linux only. */
  kill(): void;
  end(): Promise<void>;
}

const startMsMax = 20_000;

type Answer = { id?: number; result?: never; error?: { message: string } };

export async function startRawChromium({ gpu = false } = {}): Promise<RawChromium> {
  const profile = mkdtempSync(join(tmpdir(), "queztl-chromium-"));
  const args = [
    "--headless",
    ...chromiumFlags({ gpu }),
    "--remote-debugging-port=0",
    `--user-data-dir=${profile}`,
    "about:blank",
  ];
  const child = spawn(await findChromium(), args, { stdio: ["ignore", "ignore", "pipe"] });
  const url = await new Promise<string>((resolve, reject) => {
    let told = "";
    const timer = setTimeout(() => reject(new Error(`Chromium did not start:\n${told}`)), startMsMax);
    child.stderr.on("data", (data: Buffer) => {
      told += data.toString();
      const found = /DevTools listening on (ws:\S+)/.exec(told)?.[1];
      if (!found) return;
      clearTimeout(timer);
      resolve(found);
    });
  });
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const waiting = new Map<number, (answer: Answer) => void>();
  socket.on("message", (data) => {
    const answer = JSON.parse(data.toString()) as Answer;
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
  });
  let last = 0;
  const send = <T>(method: string, params: object = {}, sessionId?: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, ({ result, error }) => {
        waiting.delete(id);
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result as T);
      });
      if (socket.readyState !== WebSocket.OPEN) reject(new Error(`${method}: the browser is gone`));
      else socket.send(JSON.stringify({ id, method, params, sessionId }));
    });

  const open = async (address: string): Promise<RawTab> => {
    const { targetId } = await send<{ targetId: string }>("Target.createTarget", { url: address });
    const { sessionId } = await send<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
    const tab: RawTab = {
      evaluate: async <T>(expression: string) => {
        const params = { expression, returnByValue: true, awaitPromise: true };
        for (let more = 50; ; more--) {
          try {
            const { result } = await send<{ result: { value: T } }>("Runtime.evaluate", params, sessionId);
            return result.value;
          } catch (error) {
            // Between one page and the next there is none: nothing was evaluated.
            if (more === 0 || !(error as Error).message.includes("Cannot find default execution context")) throw error;
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
        }
      },
      activate: () => send("Target.activateTarget", { targetId }),
      lifecycle: (state) => send("Page.setWebLifecycleState", { state }, sessionId),
      reload: () => send("Page.reload", {}, sessionId),
      close: () => send("Target.closeTarget", { targetId }),
    };
    // While it loads there is nothing to evaluate in.
    const loaded = (): Promise<boolean> =>
      tab
        .evaluate<string>("location.href === 'about:blank' ? '' : document.readyState")
        .then((state) => state === "complete" || address === "about:blank");
    await until(() => loaded().catch(() => false), startMsMax);
    return tab;
  };
  const end = async (): Promise<void> => {
    const exited =
      child.exitCode !== null || child.signalCode !== null
        ? Promise.resolve()
        : new Promise((resolve) => child.once("exit", resolve));
    await Promise.race([send("Browser.close").catch(() => {}), new Promise((resolve) => setTimeout(resolve, 3_000))]);
    setTimeout(() => child.kill("SIGKILL"), 2_000).unref();
    await exited;
    socket.terminate();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  const halt = (halted: boolean): void => {
    for (const pid of familyOf(child.pid as number)) process.kill(pid, halted ? "SIGSTOP" : "SIGCONT");
  };
  const kill = (): void => {
    for (const pid of familyOf(child.pid as number)) process.kill(pid, "SIGKILL");
  };
  return { open, halt, kill, end };
}

/** A process and all that descend from it, as /proc has them. */
function familyOf(root: number): number[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // "pid (name) state ppid": a name may hold spaces and parentheses.
        const fields = readFileSync(`/proc/${name}/stat`, "utf8").split(") ").at(-1)?.split(" ");
        return [[Number(name), Number(fields?.[1])] as const];
      } catch {
        // It ended meanwhile.
        return [];
      }
    });
  const family = [root];
  for (const parent of family) family.push(...parents.filter(([, ppid]) => ppid === parent).map(([pid]) => pid));
  return family;
}
