/** The DevTools protocol: calls and events of a browser and of everything in it, over one WebSocket. */
import { WebSocket } from "ws";

export type Params = Record<string, unknown>;
type Listener = (params: Params) => void;

/** One thing in the browser: a page, a worker, or (without an id) the browser itself. */
export interface Session {
  send<T = unknown>(method: string, params?: Params): Promise<T>;
  on(method: string, listener: Listener): void;
}

export interface Cdp extends Session {
  session(id: string): Session;
  close(): void;
}

interface Message {
  id?: number;
  result?: unknown;
  error?: { message: string };
  method?: string;
  params?: Params;
  sessionId?: string;
}

/** A browser that does not answer by then never will. */
const answerMsMax = 30_000;

export async function connectCdp(url: string): Promise<Cdp> {
  const socket = new WebSocket(url, { maxPayload: 64 << 20 });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  socket.on("error", () => {});
  const waiting = new Map<number, (message: Message) => void>();
  const listeners = new Map<string, Listener[]>();
  socket.on("close", () => {
    for (const answer of waiting.values()) answer({ error: { message: "the browser is gone" } });
  });
  socket.on("message", (data) => {
    const message = JSON.parse(data.toString()) as Message;
    if (message.id !== undefined) waiting.get(message.id)?.(message);
    else
      for (const listen of listeners.get(`${message.sessionId ?? ""} ${message.method}`) ?? [])
        listen(message.params ?? {});
  });
  let last = 0;
  const session = (sessionId?: string): Session => ({
    send: <T>(method: string, params: Params = {}) =>
      new Promise<T>((resolve, reject) => {
        const id = ++last;
        const timer = setTimeout(() => answer({ error: { message: `no answer in ${answerMsMax} ms` } }), answerMsMax);
        const answer = ({ result, error }: Message): void => {
          clearTimeout(timer);
          waiting.delete(id);
          if (error) reject(new Error(`${method}: ${error.message}`));
          else resolve(result as T);
        };
        waiting.set(id, answer);
        if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ id, method, params, sessionId }));
        else answer({ error: { message: "the browser is gone" } });
      }),
    on(method, listener) {
      const key = `${sessionId ?? ""} ${method}`;
      listeners.set(key, [...(listeners.get(key) ?? []), listener]);
    },
  });
  return { ...session(), session, close: () => socket.terminate() };
}
