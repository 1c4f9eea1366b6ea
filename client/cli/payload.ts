/** Where a payload comes from: the command line, a file, or standard input. */
import { readFile, stat } from "node:fs/promises";
import { limits } from "../../protocol/limits.ts";
import { UsageError } from "./exits.ts";

/** `word` is JSON, `@FILE`, `-` for standard input, or undefined for an empty payload. Throws UsageError. */
export async function readPayload(word: string | undefined, stdin: AsyncIterable<Uint8Array>): Promise<unknown> {
  if (word === undefined) return {};
  if (word === "-") return parsed("standard input", await collect(stdin));
  if (word.startsWith("@")) return parsed(word.slice(1), await readBounded(word.slice(1)));
  return parsed("the payload", word);
}

async function readBounded(path: string): Promise<string> {
  try {
    if ((await stat(path)).size > limits.submitBytesMax) throw tooLarge(path);
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code = "unreadable" } = error as NodeJS.ErrnoException;
    throw new UsageError("payload", `The file ${path} cannot be read (${code}).`, "Check its name after the @.");
  }
}

async function collect(stdin: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    bytes += chunk.length;
    if (bytes > limits.submitBytesMax) throw tooLarge("standard input");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

const tooLarge = (what: string): UsageError =>
  new UsageError(
    "payload",
    `${what} has more than ${limits.submitBytesMax} bytes.`,
    "Send less, or cut the work into several jobs.",
  );

function parsed(what: string, text: string): unknown {
  const remedy = "Give one JSON object: keys and texts in double quotes, no trailing comma.";
  if (text.trim() === "") throw new UsageError("payload", `${what} is empty.`, remedy);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError("payload", `${what} is not JSON: ${error instanceof Error ? error.message : error}.`, remedy);
  }
}
