/** Words of the volunteers' page. Pure. */
import { formatDuration } from "../shared/format.ts";

/** The volunteer that the address names: `#` and 16 hex digits; null for none. */
export const idOfHash = (hash: string): string | null => /^#([0-9a-f]{16})$/.exec(hash)?.[1] ?? null;

/** Core-seconds as people read them; what was taken back is below zero. */
export const creditWords = (coreSeconds: number): string =>
  coreSeconds < 0 ? `−${formatDuration(-coreSeconds)}` : formatDuration(coreSeconds);

/** "14:30", in the reader's own time zone. */
export const timeOfDay = (iso: string): string =>
  new Date(iso).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

/** "25 Nov, 14:30", in the reader's own time zone. */
export const dayAndTime = (iso: string): string =>
  new Date(iso).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
