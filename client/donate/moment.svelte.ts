/** The page's surroundings as they change: visibility, battery, Save-Data, pressure, frames, the hour. */
import { Governor, PressureGovernor, type PressureState, pressureMs } from "./governor.ts";
import type { Conditions } from "./policy.ts";

type Seen = Omit<Conditions, "spentMs" | "crashes">;

interface Battery extends EventTarget {
  charging: boolean;
  level: number;
}
interface Extras {
  getBattery?(): Promise<Battery>;
  connection?: EventTarget & { saveData?: boolean };
}
type PressureObserverClass = new (
  on: (records: { state: PressureState }[]) => void,
) => { observe(source: "cpu", options: { sampleInterval: number }): Promise<void>; disconnect(): void };

const clockMs = 1_000;

export class Moment {
  seen = $state.raw<Seen>(look({ battery: null, ease: 1, smooth: 1 }));
  readonly #governor = new Governor();
  #battery: Battery | null = null;
  readonly #ease = new PressureGovernor();
  #pressure: PressureState | null = null;
  /** Whether this tab computes: only then are its frames judged, and the device's pressure. */
  judging = false;

  /** Watches until the answer is called. */
  watch(): () => void {
    const ends: (() => void)[] = [];
    const on = (target: EventTarget | undefined, type: string): void => {
      const listener = (): void => this.#look();
      target?.addEventListener(type, listener);
      ends.push(() => target?.removeEventListener(type, listener));
    };
    on(document, "visibilitychange");
    const extras = navigator as Navigator & Extras;
    on(extras.connection, "change");
    extras.getBattery?.().then(
      (battery) => {
        this.#battery = battery;
        on(battery, "chargingchange");
        on(battery, "levelchange");
        this.#look();
      },
      () => {},
    );
    const timer = setInterval(() => this.#look(), clockMs);
    ends.push(() => clearInterval(timer), this.#watchPressure(), this.#watchFrames());
    return () => {
      for (const end of ends) end();
    };
  }

  #look(): void {
    const { charging, level } = this.#battery ?? {};
    const battery = charging === undefined || level === undefined ? null : { charging, level };
    const now = look({ battery, ease: this.#ease.share, smooth: this.#governor.share });
    if (JSON.stringify(now) !== JSON.stringify(this.seen)) this.seen = now;
  }

  #watchPressure(): () => void {
    const { PressureObserver } = globalThis as { PressureObserver?: PressureObserverClass };
    if (!PressureObserver) return () => {};
    const observer = new PressureObserver((records) => {
      this.#pressure = records.at(-1)?.state ?? null;
    });
    const timer = setInterval(() => {
      if (this.judging && this.#ease.tick(this.#pressure)) this.#look();
    }, pressureMs);
    // Not every browser that has it may use it here.
    observer.observe("cpu", { sampleInterval: 2_000 }).catch(() => {});
    return () => {
      clearInterval(timer);
      observer.disconnect();
    };
  }

  #watchFrames(): () => void {
    let last = 0;
    let handle = 0;
    const onFrame = (now: number): void => {
      if (last > 0 && this.judging && this.#governor.frame(now - last)) this.#look();
      last = now;
      handle = requestAnimationFrame(onFrame);
    };
    handle = requestAnimationFrame(onFrame);
    return () => cancelAnimationFrame(handle);
  }
}

function look(found: Pick<Seen, "battery" | "ease" | "smooth">): Seen {
  const date = new Date();
  return {
    ...found,
    hidden: document.visibilityState === "hidden",
    saveData: (navigator as Navigator & Extras).connection?.saveData === true,
    weekday: date.getDay(),
    hour: date.getHours(),
  };
}
