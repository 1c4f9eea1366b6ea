/** The owner's choices, remembered on this device. Reading never fails: what is broken is replaced by the default. */

export interface Remembered {
  threads: number;
  gpu: boolean;
  /** Families that the owner switched by hand; others follow the workload's default. */
  families: Record<string, boolean>;
  name: string;
}

const key = "queztl.choices.v1";
const nameLengthMax = 60;

/** Half the cores, one on a phone, at least one. */
export function defaultThreads(cores: number, phone: boolean): number {
  return phone ? 1 : Math.max(1, Math.floor(cores / 2));
}

export function parseChoices(text: string | null, cores: number, phone: boolean): Remembered {
  const fallback: Remembered = { threads: defaultThreads(cores, phone), gpu: true, families: {}, name: "" };
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
    families,
    name: typeof stored.name === "string" ? stored.name.slice(0, nameLengthMax) : "",
  };
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
  workloads: string[];
}

/** Families that are on: as switched by hand, else unless they are opt-in. */
export function familiesOn(families: readonly FamilyView[], switched: Readonly<Record<string, boolean>>): string[] {
  return families.filter((family) => switched[family.id] ?? !family.optIn).map((family) => family.id);
}
