/**
 * WebKitGTK's MiniBrowser on a virtual screen, driven by classic WebDriver (https://www.w3.org/TR/webdriver2/), which
 * WebKitWebDriver translates.
 */
import { freePort, until } from "./grid-process.ts";
import { asJson, Household, type OtherBrowser, startMsMax } from "./other-browsers.ts";

export interface WebKitPrograms {
  driver: string;
  xvfb: string;
}

/** Longer than any script of a test. */
const commandMsMax = 60_000;
/** The name of an element's id, as the specification has it. */
const elementKey = "element-6066-11e4-a52e-4f735466cecf";

type Send = <T>(method: "GET" | "POST" | "DELETE", path: string, body?: object) => Promise<T>;

export async function startWebKit({ driver, xvfb }: WebKitPrograms): Promise<OtherBrowser> {
  const household = new Household();
  try {
    // The number of a free screen is printed once it can be used.
    const screen = ["-screen", "0", "1280x1000x24", "-nolisten", "tcp", "-displayfd", "1"];
    const display = await household.start(xvfb, screen, /(\d+)\n/);
    const port = await freePort();
    household
      .start(driver, [`--port=${port}`], /(?!)/, {
        DISPLAY: `:${display}`,
        GDK_BACKEND: "x11",
        LIBGL_ALWAYS_SOFTWARE: "1",
      })
      .catch(() => {});
    const root = `http://127.0.0.1:${port}`;
    await until(async () => (await fetch(`${root}/status`).catch(() => null))?.ok === true, startMsMax);
    const { sessionId, capabilities } = await command<{
      sessionId: string;
      capabilities: { browserName: string; browserVersion: string };
    }>(root, "POST", "/session", { capabilities: { alwaysMatch: {} } });
    const send: Send = (method, path, body) => command(root, method, `/session/${sessionId}${path}`, body);
    await send("POST", "/timeouts", { script: commandMsMax, pageLoad: commandMsMax });
    return {
      name: `${capabilities.browserName} ${capabilities.browserVersion}`,
      ...page(send),
      end: async () => {
        await send("DELETE", "").catch(() => {});
        await household.end();
      },
    };
  } catch (error) {
    await household.end();
    throw error;
  }
}

async function command<T>(root: string, method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`${root}${path}`, {
    method,
    signal: AbortSignal.timeout(commandMsMax + 5_000),
    ...(method === "POST" ? { body: JSON.stringify(body ?? {}), headers: { "content-type": "application/json" } } : {}),
  });
  const { value } = (await response.json()) as { value: T & { error?: string; message?: string } };
  if (!response.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
  return value;
}

function page(send: Send): Pick<OtherBrowser, "goto" | "back" | "evaluate" | "press" | "screenshot"> {
  return {
    goto: (url) => send("POST", "/url", { url }),
    back: () => send("POST", "/back"),
    evaluate: async <T>(script: () => T | Promise<T>) => {
      const source = `const done = arguments[0];
        ${asJson(script)}.then((json) => done({ json }), (error) => done({ error: String(error) }));`;
      const answer = await send<{ json?: string; error?: string }>("POST", "/execute/async", {
        script: source,
        args: [],
      });
      if (answer.json === undefined) throw new Error(`In the page: ${answer.error}`);
      return JSON.parse(answer.json) as T;
    },
    press: async (testId) => {
      const found = { using: "css selector", value: `[data-testid=${testId}]` };
      const { [elementKey]: id } = await send<{ [elementKey]: string }>("POST", "/element", found);
      await send("POST", `/element/${id}/click`);
    },
    screenshot: async () => Buffer.from(await send<string>("GET", "/screenshot"), "base64"),
  };
}
