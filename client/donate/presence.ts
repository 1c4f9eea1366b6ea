/**
 * One tab of a browser computes; the others show it. A Web Lock decides where there are any; over http tabs ask each
 * other by BroadcastChannel, and of two that start in the same moment the coordinator refuses one (`already_here`).
 */
import type { PageView } from "./view.ts";

export interface OtherTab {
  /** Null while it computes but does not answer, as frozen tabs do. */
  view: PageView | null;
  heardMs: number;
}

type Word = { type: "who" } | { type: "here"; view: PageView } | { type: "gone" } | { type: "stop" };

const lockName = "queztl-node";
/** A tab answers within a few milliseconds, unless it is frozen. */
const answerMsMax = 200;
const tellMsMin = 500;
/** A hidden tab tells as often as a visible one: its words follow those of its worker. */
const silentMsMax = 5_000;

export class Presence {
  readonly #channel = typeof BroadcastChannel === "function" ? new BroadcastChannel("queztl-tabs") : null;
  #release: (() => void) | null = null;
  #running = false;
  #toldMs = 0;
  #other: OtherTab | null = null;
  #view: PageView | null = null;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(private readonly on: { other(tab: OtherTab | null): void; stop(): void }) {
    if (this.#channel) this.#channel.onmessage = (event: MessageEvent<Word>) => this.#onWord(event.data);
    this.#say({ type: "who" });
    this.#timer = setInterval(() => this.#forget(), 1_000);
  }

  close(): void {
    this.leave();
    clearInterval(this.#timer);
    this.#channel?.close();
  }

  /** Whether this tab is the one to compute, until `leave`. */
  async enter(): Promise<boolean> {
    const release = await tryLock(lockName);
    if (release === "taken") {
      this.#tell({ view: this.#other?.view ?? null, heardMs: Date.now() });
      this.#say({ type: "who" });
      return false;
    }
    if (release === "no locks") {
      this.#say({ type: "who" });
      await new Promise((resolve) => setTimeout(resolve, answerMsMax));
      if (this.#other) return false;
    } else this.#release = release;
    this.#running = true;
    this.#view = null;
    this.#toldMs = 0;
    return true;
  }

  /** What this tab shows, for the others. */
  tell(view: PageView): void {
    const now = Date.now();
    this.#view = view;
    if (!this.#running || now - this.#toldMs < tellMsMin) return;
    this.#toldMs = now;
    this.#say({ type: "here", view });
  }

  leave(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#say({ type: "gone" });
    this.#release?.();
    this.#release = null;
  }

  stopOther(): void {
    this.#say({ type: "stop" });
  }

  #onWord(word: Word): void {
    switch (word.type) {
      case "who":
        if (this.#running && this.#view) this.#say({ type: "here", view: this.#view });
        return;
      case "here":
        if (!this.#running) this.#tell({ view: word.view, heardMs: Date.now() });
        return;
      case "gone":
        this.#tell(null);
        return;
      case "stop":
        if (this.#running) this.on.stop();
    }
  }

  #forget(): void {
    if (this.#other && Date.now() - this.#other.heardMs > silentMsMax) this.#tell(null);
  }

  #tell(other: OtherTab | null): void {
    this.#other = other;
    this.on.other(other);
  }

  #say(word: Word): void {
    this.#channel?.postMessage(word);
  }
}

/** Held until the answer is called, or the tab ends. A held lock also keeps browsers from freezing the tab. */
function tryLock(name: string): Promise<(() => void) | "taken" | "no locks"> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return Promise.resolve("no locks");
  return new Promise((resolve, reject) => {
    locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (lock === null) {
          resolve("taken");
          return;
        }
        return new Promise<void>((release) => resolve(release));
      })
      .catch(reject);
  });
}
