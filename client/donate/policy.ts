/**
 * What the tab may use now: the owner's preferences, narrowed by what is known of the device and the moment. Pure. The
 * rules stand in order; the first that pauses is the one that is told.
 */

/** Weekdays as Date.getDay() counts them, Sunday 0; hours of the device's own clock. */
export interface Schedule {
  days: readonly number[];
  /** From this hour on, 0 to 23. */
  fromHour: number;
  /** Until this hour, 1 to 24; one that is not after `fromHour` is of the next day. */
  toHour: number;
}

/** What the browser tells of the device's memory. */
export interface Device {
  phone: boolean;
  /** Of the whole device, in GiB, as Chromium rounds it; null elsewhere. */
  memoryGiB: number | null;
}

export interface Wishes {
  threads: number;
  gpu: boolean;
  /** Share of the time that a thread computes, 0.1 to 1. */
  effort: number;
  /** Go on while another tab or window is in front. */
  whenHidden: boolean;
  /** Go on although the browser asks pages to save data. */
  whenSavingData: boolean;
  schedule: Schedule | null;
  /** Hours of computing a day; null: any. */
  hoursPerDay: number | null;
}

/** What is not known is null, and no reason for anything. */
export interface Conditions {
  hidden: boolean;
  battery: { charging: boolean /** 0 to 1. */; level: number } | null;
  saveData: boolean;
  weekday: number;
  hour: number;
  /** Computed today, in milliseconds. */
  spentMs: number;
  /** Times that the tab ended while it computed, without saying so. */
  crashes: number;
  /** Share that keeps the device at ease, 0 to 1, where Compute Pressure tells (governor.ts); else 1. */
  ease: number;
  /** Share that keeps the page's frames smooth, 0 to 1 (governor.ts). */
  smooth: number;
}

export interface Allowed {
  threads: number;
  gpu: boolean;
  /** Share of the time that each thread computes. */
  duty: number;
  /** Memory that one kernel may have. */
  memoryBytesMax: number;
  /** Why nothing runs, as a sentence; null while it may. */
  paused: string | null;
  /** Why it uses less than the owner allows, as sentences. */
  notes: string[];
}

export const lowBattery = 0.3;
/** Crashes after which the GPU stays off. */
export const crashesMax = 3;
const dutyMin = 0.1;
const hourMs = 3_600_000;
const mebi = 2 ** 20;
/** Kernels begin with a few pages of 64 KiB: what is less would be of no use. */
const memoryMin = 8 * mebi;

const pauses: ((wishes: Wishes, now: Conditions) => string | null)[] = [
  ({ whenHidden }, { hidden }) =>
    hidden && !whenHidden ? "Paused: another tab or window is in front. Allow it under “When it may run”." : null,
  (_, { battery }) =>
    battery && !battery.charging && battery.level <= lowBattery
      ? `Paused: the battery is at ${Math.round(battery.level * 100)} %. It goes on when the device is plugged in.`
      : null,
  ({ whenSavingData }, { saveData }) =>
    saveData && !whenSavingData ? "Paused: this browser saves data. Allow it under “When it may run”." : null,
  ({ schedule }, { weekday, hour }) =>
    schedule && !isOpen(schedule, weekday, hour) ? `Paused: ${scheduleWords(schedule)}.` : null,
  ({ hoursPerDay }, { spentMs }) =>
    hoursPerDay !== null && spentMs >= hoursPerDay * hourMs
      ? `Paused: it computed ${hoursPerDay === 1 ? "one hour" : `${hoursPerDay} hours`} today, as you allow. It goes on tomorrow.`
      : null,
];

export function allowed(wishes: Wishes, now: Conditions, device: Device): Allowed {
  const memoryBytesMax = memoryClass(device, now.crashes);
  for (const pause of pauses) {
    const paused = pause(wishes, now);
    if (paused !== null) return { threads: 0, gpu: false, duty: 1, memoryBytesMax, paused, notes: [] };
  }
  const notes: string[] = [];
  let { threads, gpu } = wishes;
  if (now.crashes > 0) {
    threads = threads === 0 ? 0 : Math.max(1, threads >> Math.min(now.crashes, 8));
    const less = "Last time this tab ended while it computed, without saying so";
    if (now.crashes >= crashesMax && gpu) {
      gpu = false;
      notes.push(`${less}, for the third time: the GPU is left alone.`);
    } else
      notes.push(
        `${less}: it is careful now, with ${threads < wishes.threads ? "fewer threads and " : ""}less memory.`,
      );
  }
  if (now.battery && !now.battery.charging && gpu) {
    gpu = false;
    notes.push("The GPU rests while the device runs on battery.");
  }
  // With the GPU gone there must be something left to compute with, if the owner allows any computing.
  if (!gpu && threads === 0 && wishes.gpu) threads = 1;
  return { threads, gpu, duty: dutyOf(wishes, now, notes), memoryBytesMax, paused: null, notes };
}

/**
 * Memory that one kernel may have: browsers end a tab that takes too much, phones' long before computers'. An eighth of
 * the device's where that is told, and half as much after each crash.
 */
export function memoryClass({ phone, memoryGiB }: Device, crashes: number): number {
  const most = (phone ? 256 : 1024) * mebi;
  const told = memoryGiB === null ? most : (memoryGiB * 1024 * mebi) / 8;
  return Math.max(memoryMin, Math.min(most, told) / 2 ** Math.min(crashes, 16));
}

function dutyOf(wishes: Wishes, { ease, smooth }: Conditions, notes: string[]): number {
  let duty = wishes.effort;
  if (ease < 1) {
    duty *= ease;
    notes.push("The device is under pressure: it computes less of the time.");
  }
  if (smooth < 1) {
    duty *= smooth;
    notes.push("It rests in between, so that pages stay smooth.");
  }
  // In steps, lest every frame change it.
  return Math.max(dutyMin, Math.min(1, Math.round(duty * 20) / 20));
}

/** Hours after midnight belong to the day on which they began. */
export function isOpen({ days, fromHour, toHour }: Schedule, weekday: number, hour: number): boolean {
  if (toHour > fromHour) return days.includes(weekday) && hour >= fromHour && hour < toHour;
  const yesterday = (weekday + 6) % 7;
  return (days.includes(weekday) && hour >= fromHour) || (days.includes(yesterday) && hour < toHour);
}

export const dayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;

function scheduleWords({ days, fromHour, toHour }: Schedule): string {
  if (days.length === 0) return "no day is chosen in your schedule";
  const names = days.length === 7 ? "every day" : days.map((day) => dayNames[day]).join(", ");
  return `your schedule is ${names}, ${fromHour}:00 to ${toHour}:00`;
}
