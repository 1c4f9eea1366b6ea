/**
 * What the tab notes of its own computing, on this device: the time of today, and a mark that stands while it computes.
 * A mark that the next start finds means that the tab ended without saying so. Pure but for `localDiary`.
 */
export interface Mark {
  startedMs: number;
  threads: number;
  gpu: boolean;
}

export interface Diary {
  /** As "2026-01-31", of the device's own clock, and what was computed on it. */
  day: string;
  spentMs: number;
  mark: Mark | null;
  crashes: number;
  /** Computed since the last crash. */
  calmMs: number;
}

export const emptyDiary: Diary = { day: "", spentMs: 0, mark: null, crashes: 0, calmMs: 0 };

/** After so much computing without one, a crash is forgotten. */
export const calmMsMax = 30 * 60_000;

/** A start: where the mark still stands, the last run crashed. */
export function onStart(diary: Diary): Diary {
  return diary.mark === null ? diary : { ...diary, mark: null, crashes: diary.crashes + 1, calmMs: 0 };
}

/** `ms` of computing went by. */
export function onComputed(diary: Diary, ms: number, day: string): Diary {
  const spentMs = (diary.day === day ? diary.spentMs : 0) + ms;
  const calmMs = diary.calmMs + ms;
  if (diary.crashes === 0 || calmMs < calmMsMax) return { ...diary, day, spentMs, calmMs };
  return { ...diary, day, spentMs, calmMs: 0, crashes: diary.crashes - 1 };
}

export const spentOn = (diary: Diary, day: string): number => (diary.day === day ? diary.spentMs : 0);

export const dayOf = (date: Date): string =>
  `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;

const key = "queztl.diary.v1";
const amount = (value: unknown): number => (typeof value === "number" && value >= 0 && value < 1e12 ? value : 0);

/** Reading never fails: what is broken is as if it were not there. */
export function parseDiary(text: string | null): Diary {
  try {
    const stored = JSON.parse(text ?? "null") as Partial<Diary> | null;
    if (typeof stored !== "object" || stored === null) return emptyDiary;
    const { mark } = stored;
    return {
      day: typeof stored.day === "string" ? stored.day.slice(0, 10) : "",
      spentMs: amount(stored.spentMs),
      mark: mark ? { startedMs: amount(mark.startedMs), threads: amount(mark.threads), gpu: mark.gpu === true } : null,
      crashes: Math.min(16, Math.floor(amount(stored.crashes))),
      calmMs: amount(stored.calmMs),
    };
  } catch {
    return emptyDiary;
  }
}

export const localDiary = {
  load(): Diary {
    try {
      return parseDiary(localStorage.getItem(key));
    } catch {
      return emptyDiary;
    }
  },
  save(diary: Diary): void {
    try {
      localStorage.setItem(key, JSON.stringify(diary));
    } catch {
      // Storage may be switched off; the diary then lasts as long as the page.
    }
  },
};
