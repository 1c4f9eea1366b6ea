/**
 * Server-sent events over `fetch`. Unlike `EventSource` this sees the status code (sign in) and the
 * comments that keep a quiet stream alive (so that a dead connection can be told from a quiet one).
 */

export interface SseEvent {
  event: string;
  data: string;
  id: string | null;
}

/** Characters of one event that are kept at most; a longer one is an error of the server. */
const eventCharactersMax = 32 << 20;

/** Splits a stream of text into events, however it was cut into chunks. */
export class SseParser {
  #rest = "";
  #data: string[] = [];
  #event = "message";
  #id: string | null = null;
  #characters = 0;

  push(chunk: string): SseEvent[] {
    const events: SseEvent[] = [];
    // A trailing CR may be the first half of CRLF, so it waits for the next chunk.
    const text = this.#rest + chunk;
    const held = text.endsWith("\r") ? 1 : 0;
    const lines = text.slice(0, text.length - held).split(/\r\n|\n|\r/);
    this.#rest = lines.pop()! + (held ? "\r" : "");
    if (this.#rest.length + this.#characters > eventCharactersMax) throw new Error("an event of the feed is too large");
    for (const line of lines) {
      if (line !== "") this.#line(line);
      else if (this.#data.length > 0) {
        events.push({ event: this.#event, data: this.#data.join("\n"), id: this.#id });
        this.#reset();
      } else this.#reset();
    }
    return events;
  }

  #reset(): void {
    this.#data = [];
    this.#event = "message";
    this.#characters = 0;
  }

  #line(line: string): void {
    if (line.startsWith(":")) return;
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") {
      this.#data.push(value);
      this.#characters += value.length;
    } else if (name === "event") this.#event = value;
    else if (name === "id") this.#id = value;
  }
}
