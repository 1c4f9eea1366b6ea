/** Numbers and times as people read them. Pure; the locale is fixed so that pages and tests agree. */

/** A whole number with thin grouping, as "1 234 567"; never rounded. */
export function formatCount(value: number): string {
  return Math.trunc(value)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** At most three significant digits, without exponents between 0.001 and 10^6. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e15 || size < 1e-3) return value.toExponential(2);
  if (size >= 1000) return (value < 0 ? "-" : "") + formatCount(Math.round(size));
  return String(Number(value.toPrecision(3)));
}

/** A figure of a result: whole numbers are grouped, others keep seven digits. */
export function formatFigure(value: string | number | boolean): string {
  if (typeof value !== "number") return String(value);
  if (Number.isSafeInteger(value)) return value < 0 ? `-${formatCount(-value)}` : formatCount(value);
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  return size >= 1e15 || size < 1e-4 ? value.toExponential(6) : String(Number(value.toPrecision(7)));
}

const prefixes = ["", "k", "M", "G", "T", "P"] as const;

/** With an SI prefix: 5170000, "H/s" -> "5.17 MH/s". */
export function formatSi(value: number, unit: string): string {
  if (!Number.isFinite(value)) return `– ${unit}`;
  let step = 0;
  let scaled = Math.abs(value);
  while (scaled >= 999.5 && step < prefixes.length - 1) {
    scaled /= 1000;
    step += 1;
  }
  const sign = value < 0 ? "-" : "";
  return `${sign}${Number(scaled.toPrecision(3))} ${prefixes[step]}${unit}`;
}

/** Bytes in whole units of 1000: "811 kB". */
export function formatBytes(bytes: number): string {
  const at = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const value = bytes / 1000 ** at;
  return `${value < 10 && at > 0 ? value.toFixed(1) : Math.round(value)} ${["B", "kB", "MB", "GB"][at]}`;
}

/** Identifiers differ at their ends: what is left out of a long one is its middle. */
export function formatId(id: string, lengthMax: number): string {
  if (id.length <= lengthMax) return id;
  const end = Math.floor((lengthMax - 1) / 2);
  return `${id.slice(0, lengthMax - 1 - end)}…${id.slice(-end)}`;
}

export function formatPercent(fraction: number): string {
  const percent = Math.min(1, Math.max(0, fraction)) * 100;
  // 100% is shown only when everything is done.
  if (percent >= 99.95 && fraction < 1) return "99.9%";
  return `${percent < 10 || percent > 99 ? Number(percent.toFixed(1)) : Math.round(percent)}%`;
}

/** A duration in its two largest units: 3725 -> "1 h 2 min". */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  const units: [string, number][] = [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  const first = units.findIndex(([, size]) => whole >= size);
  let rest = whole;
  const parts: string[] = [];
  for (const [name, size] of units.slice(first, first + 2)) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) parts.push(`${amount} ${name}`);
  }
  return parts.join(" ");
}

/** How long ago, from two instants in milliseconds. */
export function formatAge(thenMs: number, nowMs: number): string {
  const seconds = Math.max(0, (nowMs - thenMs) / 1000);
  return seconds < 5 ? "just now" : `${formatDuration(Math.floor(seconds))} ago`;
}

/** "1 slice", "2 slices". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Wire names for people: "crypto_mining" -> "crypto mining". */
export function humanise(name: string): string {
  return name.replaceAll("_", " ");
}

const backendNames: Record<string, string> = { wasm: "CPU", webgpu: "GPU", native: "native" };

export function backendName(backend: string): string {
  return backendNames[backend] ?? backend;
}

/** An argument quoted for a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
