/** A stock Firefox, headless, driven by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which it speaks itself. */
import { WebSocket } from "ws";
import { asJson, Household, type OtherBrowser } from "./other-browsers.ts";

/** Longer than any script of a test. */
const commandMsMax = 60_000;

interface Message {
  id?: number;
  type?: "success" | "error" | "event";
  result?: unknown;
  error?: string;
  message?: string;
  method?: string;
  params?: { level?: string; type?: string; text?: string };
}

type Send = <T>(method: string, params: object) => Promise<T>;

export async function startFirefox(path: string): Promise<OtherBrowser> {
  const household = new Household();
  try {
    const args = ["--headless", "--no-remote", "--profile", household.folder, "--remote-debugging-port", "0"];
    const address = await household.start(path, args, /WebDriver BiDi listening on (ws:\S+)/);
    const errors: string[] = [];
    const { send, close } = await connect(`${address}/session`, ({ method, params }) => {
      if (method !== "log.entryAdded" || params?.type !== "javascript" || params.level !== "error") return;
      // Firefox tells connections that failed among the scripts' errors; a script has its own event for them.
      if (!/ wss?:\/\//.test(params.text ?? "")) errors.push(params.text ?? "");
    });
    const { capabilities } = await send<{ capabilities: { browserName: string; browserVersion: string } }>(
      "session.new",
      { capabilities: {} },
    );
    await send("session.subscribe", { events: ["log.entryAdded"] });
    const end = async (): Promise<void> => {
      close();
      await household.end();
    };
    return { name: `${capabilities.browserName} ${capabilities.browserVersion}`, errors, ...(await page(send)), end };
  } catch (error) {
    await household.end();
    throw error;
  }
}

async function connect(url: string, onEvent: (event: Message) => void): Promise<{ send: Send; close(): void }> {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const waiting = new Map<number, (message: Message) => void>();
  socket.on("message", (data) => {
    const message = JSON.parse(data.toString()) as Message;
    if (message.id === undefined) onEvent(message);
    else waiting.get(message.id)?.(message);
  });
  socket.on("close", () => {
    for (const answer of waiting.values()) answer({ type: "error", error: "closed", message: "Firefox is gone." });
  });
  let last = 0;
  const send: Send = <T>(method: string, params: object) =>
    new Promise<T>((resolve, reject) => {
      const id = ++last;
      const answer = ({ type, result, error, message }: Message): void => {
        clearTimeout(timer);
        waiting.delete(id);
        if (type === "success") resolve(result as T);
        else reject(new Error(`${method}: ${error}: ${message}`));
      };
      const late = { error: "timeout", message: `no answer within ${commandMsMax} ms` };
      const timer = setTimeout(() => answer({ type: "error", ...late }), commandMsMax);
      waiting.set(id, answer);
      socket.send(JSON.stringify({ id, method, params }));
    });
  return { send, close: () => socket.terminate() };
}

async function page(send: Send): Promise<Pick<OtherBrowser, "goto" | "back" | "evaluate" | "press" | "screenshot">> {
  const { contexts } = await send<{ contexts: { context: string }[] }>("browsingContext.getTree", { maxDepth: 0 });
  const context = contexts[0]?.context;
  if (context === undefined) throw new Error("Firefox has no page.");
  await send("browsingContext.setViewport", { context, viewport: { width: 1280, height: 900 } });

  const valueAt = async <T>(expression: string): Promise<T> => {
    const params = { expression, target: { context }, awaitPromise: true };
    const answer = await send<
      { type: "success"; result: { value: string } } | { type: "exception"; exceptionDetails: { text: string } }
    >("script.evaluate", params);
    if (answer.type === "exception") throw new Error(`In the page: ${answer.exceptionDetails.text}`);
    return JSON.parse(answer.result.value) as T;
  };
  return {
    goto: async (url) => {
      await send("browsingContext.navigate", { context, url, wait: "complete" });
    },
    back: async () => {
      await send("browsingContext.traverseHistory", { context, delta: -1 });
    },
    evaluate: (script) => valueAt(asJson(script)),
    press: async (testId) => {
      const selector = JSON.stringify(`[data-testid=${testId}]`);
      const place = `() => {
        const element = document.querySelector(${selector});
        if (!element) throw new Error("There is no " + ${selector});
        element.scrollIntoView({ block: "center", behavior: "instant" });
        const { x, y, width, height } = element.getBoundingClientRect();
        return { x: Math.round(x + width / 2), y: Math.round(y + height / 2) };
      }`;
      const { x, y } = await valueAt<{ x: number; y: number }>(`Promise.resolve(JSON.stringify((${place})()))`);
      const actions = [
        { type: "pointerMove", x, y },
        { type: "pointerDown", button: 0 },
        { type: "pointerUp", button: 0 },
      ];
      await send("input.performActions", { context, actions: [{ type: "pointer", id: "mouse", actions }] });
    },
    screenshot: async () => {
      const { data } = await send<{ data: string }>("browsingContext.captureScreenshot", { context });
      return Buffer.from(data, "base64");
    },
  };
}
