/** A QR code of an address, for a terminal. */
import encodeQR from "qr";

const white = "\x1b[48;5;231m\x1b[38;5;16m";
const plain = "\x1b[0m";

/**
 * Lines of half-height blocks, in black on white whatever the terminal's colours are: readers want the light margin.
 * Two rows of modules make one line. `columns` is their width.
 */
export function qrLines(text: string): { lines: string[]; columns: number } {
  const modules: boolean[][] = encodeQR(text, "raw", { ecc: "low", border: 2 });
  const lines: string[] = [];
  for (let y = 0; y < modules.length; y += 2) {
    const upper = modules[y] ?? [];
    const lower = modules[y + 1] ?? [];
    lines.push(`${white}${upper.map((dark, x) => block(dark, lower[x] ?? false)).join("")}${plain}`);
  }
  return { lines, columns: modules.length };
}

const block = (upper: boolean, lower: boolean): string => (upper ? (lower ? "█" : "▀") : lower ? "▄" : " ");

const gap = "   ";

/** The code with lines of text at its right, or beneath it where the terminal is narrow; the text alone if narrower. */
export function besideQr(url: string, text: readonly string[], columns: number): string {
  const { lines, columns: width } = qrLines(url);
  const widest = Math.max(...text.map((line) => line.length));
  if (columns < width + 2) return text.join("\n");
  const code = lines.map((line) => `  ${line}`);
  if (columns < width + 2 + gap.length + widest) return [...code, ...text].join("\n");
  const top = Math.max(0, Math.floor((code.length - text.length) / 2));
  return code.map((line, y) => `${line}${gap}${text[y - top] ?? ""}`.trimEnd()).join("\n");
}
