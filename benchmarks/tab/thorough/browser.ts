/** A Chromium of its own for a measurement, driven by its DevTools protocol alone: Playwright would keep its tabs visible. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromiumFlags, findChromium } from "../../../scripts/chromium.mjs";
import { type Cdp, connectCdp, type Session } from "./cdp.ts";
import { familyOf } from "./processes.ts";

export interface Tab extends Session {
  /** The value of an expression, awaited. Throws what it throws. */
  evaluate<T>(expression: string): Promise<T>;
  /** Of this tab before any script of its pages; each call replaces what the last one set. */
  prepare(script: string): Promise<void>;
  /** In front of all others, which are hidden then. */
  activate(): Promise<void>;
  close(): Promise<void>;
}

export interface Chromium {
  /** Of its first process. */
  pid: number;
  /** An empty tab. */
  open(): Promise<Tab>;
  session(id: string): Session;
  version(): Promise<{ product: string }>;
  /** Stops all its processes where they are, or lets them go on. */
  halt(halted: boolean): void;
  /** Kills all its processes; a later `start` with the same profile is the same browser. */
  kill(): Promise<void>;
  end(): Promise<void>;
}

const startMsMax = 20_000;

export const makeProfile = (): string => mkdtempSync(join(tmpdir(), "queztl-bench-profile-"));
export const removeProfile = (profile: string): void =>
  rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });

/** Its profile stays: `removeProfile` removes it. */
export async function startChromium(profile: string, { gpu = false } = {}): Promise<Chromium> {
  const flags = [...chromiumFlags({ gpu }), "--remote-debugging-port=0", `--user-data-dir=${profile}`];
  const program = await findChromium();
  const child = spawn(program, ["--headless", ...flags, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const cdp = await connectCdp(await addressOf(child));
  const family = (): number[] => familyOf(child.pid as number);
  const signal = (name: NodeJS.Signals): void => {
    for (const pid of family()) {
      try {
        process.kill(pid, name);
      } catch {
        // It ended meanwhile.
      }
    }
  };
  return {
    pid: child.pid as number,
    open: () => openTab(cdp),
    session: cdp.session,
    version: () => cdp.send("Browser.getVersion"),
    halt: (halted) => signal(halted ? "SIGSTOP" : "SIGCONT"),
    kill: async () => {
      signal("SIGKILL");
      await exited;
      cdp.close();
    },
    end: async () => {
      const late = setTimeout(() => signal("SIGKILL"), 4_000);
      await cdp.send("Browser.close").catch(() => {});
      await exited;
      clearTimeout(late);
      cdp.close();
    },
  };
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let told = "";
    const timer = setTimeout(() => reject(new Error(`Chromium did not start:\n${told}`)), startMsMax);
    child.stderr?.on("data", (data: Buffer) => {
      told = (told + data.toString()).slice(-10_000);
      const found = /DevTools listening on (ws:\S+)/.exec(told)?.[1];
      if (!found) return;
      clearTimeout(timer);
      resolve(found);
    });
  });
}

async function openTab(cdp: Cdp): Promise<Tab> {
  const { targetId } = await cdp.send<{ targetId: string }>("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await cdp.send<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
  const session = cdp.session(sessionId);
  await session.send("Page.enable");
  let prepared: string | null = null;
  return {
    ...session,
    evaluate: async <T>(expression: string) => {
      const params = { expression, returnByValue: true, awaitPromise: true };
      const answer = await session.send<{ result: { value: T }; exceptionDetails?: { text: string } }>(
        "Runtime.evaluate",
        params,
      );
      if (answer.exceptionDetails) throw new Error(`${answer.exceptionDetails.text} in ${expression.slice(0, 200)}`);
      return answer.result.value;
    },
    prepare: async (source) => {
      if (prepared !== null) await session.send("Page.removeScriptToEvaluateOnNewDocument", { identifier: prepared });
      const added = await session.send<{ identifier: string }>("Page.addScriptToEvaluateOnNewDocument", { source });
      prepared = added.identifier;
    },
    activate: () => cdp.send("Target.activateTarget", { targetId }),
    close: () => cdp.send("Target.closeTarget", { targetId }),
  };
}
