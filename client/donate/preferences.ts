/** The owner's choices, remembered on this device. Reading never fails: what is broken is replaced by the default. */

import { isRegionId, type RegionId } from "../../protocol/regions.ts";
import type { WorkloadType } from "../../protocol/rest.ts";
import type { Schedule, Wishes } from "./policy.ts";

export interface Remembered extends Wishes {
  /** Families that the owner switched by hand; others follow the workload's default. */
  families: Record<string, boolean>;
  name: string;
  /** Told to the coordinator: by this device's clock, a region, or nothing. */
  region: RegionId | "clock" | "none";
}

const defaults: Omit<Remembered, "threads" | "families"> = {
  gpu: true,
  effort: 1,
  whenHidden: false,
  whenSavingData: false,
  schedule: null,
  hoursPerDay: null,
  name: "",
  region: "clock",
};

const key = "queztl.choices.v1";
const nameLengthMax = 60;

/** Half the cores, one on a phone, at least one. */
export function defaultThreads(cores: number, phone: boolean): number {
  return phone ? 1 : Math.max(1, Math.floor(cores / 2));
}

export function parseChoices(text: string | null, cores: number, phone: boolean): Remembered {
  const fallback: Remembered = { ...defaults, threads: defaultThreads(cores, phone), families: {} };
  if (text === null) return fallback;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fallback;
  }
  if (typeof value !== "object" || value === null) return fallback;
  const stored = value as Partial<Record<keyof Remembered, unknown>>;
  const threads = Number.isInteger(stored.threads)
    ? Math.min(cores, Math.max(0, stored.threads as number))
    : fallback.threads;
  const families: Record<string, boolean> = {};
  if (typeof stored.families === "object" && stored.families !== null) {
    for (const [id, on] of Object.entries(stored.families).slice(0, 64)) if (typeof on === "boolean") families[id] = on;
  }
  return {
    threads,
    gpu: typeof stored.gpu === "boolean" ? stored.gpu : true,
    effort: within(stored.effort, 0.1, 1) ?? 1,
    whenHidden: stored.whenHidden === true,
    whenSavingData: stored.whenSavingData === true,
    schedule: parseSchedule(stored.schedule),
    hoursPerDay: within(stored.hoursPerDay, 0.25, 24),
    families,
    name: typeof stored.name === "string" ? stored.name.slice(0, nameLengthMax) : "",
    region: isRegionId(stored.region) || stored.region === "none" ? stored.region : "clock",
  };
}

const within = (value: unknown, min: number, max: number): number | null =>
  typeof value === "number" && value >= min && value <= max ? value : null;

function parseSchedule(value: unknown): Schedule | null {
  if (typeof value !== "object" || value === null) return null;
  const { days, fromHour, toHour } = value as Partial<Record<keyof Schedule, unknown>>;
  const from = within(fromHour, 0, 23);
  const to = within(toHour, 1, 24);
  if (!Array.isArray(days) || from === null || to === null || !Number.isInteger(from) || !Number.isInteger(to))
    return null;
  return { days: [0, 1, 2, 3, 4, 5, 6].filter((day) => days.includes(day)), fromHour: from, toHour: to };
}

export function loadChoices(cores: number, phone: boolean): Remembered {
  let text: string | null = null;
  try {
    text = localStorage.getItem(key);
  } catch {
    // Storage may be switched off; the choices then last as long as the page.
  }
  return parseChoices(text, cores, phone);
}

export function saveChoices(choices: Remembered): void {
  try {
    localStorage.setItem(key, JSON.stringify(choices));
  } catch {
    // As above.
  }
}

export interface FamilyView {
  id: string;
  title: string;
  summary: string;
  optIn: boolean;
  /** Of a stricter consent: the family that must be on too. */
  within: string | null;
  workloads: string[];
}

/** Families that are on: as switched by hand, else unless they are opt-in. A consent within one that is off is off. */
export function familiesOn(families: readonly FamilyView[], switched: Readonly<Record<string, boolean>>): string[] {
  const on = new Set(families.filter((family) => switched[family.id] ?? !family.optIn).map((family) => family.id));
  return families.filter(({ id, within }) => on.has(id) && (within === null || on.has(within))).map(({ id }) => id);
}

/** The families of all workloads, with their consents behind them; those that are off by default come last. */
export function familyViews(types: readonly WorkloadType[]): FamilyView[] {
  const found = new Map<string, FamilyView>();
  const add = ({ opt_in: optIn, ...family }: WorkloadType["family"], within: string | null, title: string): void => {
    const known = found.get(family.id);
    if (known) known.workloads.push(title);
    else found.set(family.id, { ...family, optIn, within, workloads: [title] });
  };
  for (const { family, consents, title } of types) {
    add(family, null, title);
    for (const consent of consents) add(consent, family.id, title);
  }
  return [...found.values()].sort((a, b) => Number(a.optIn) - Number(b.optIn));
}
