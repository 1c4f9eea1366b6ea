/** Request bodies within limits of size and time, straight from Node's stream. */
import type { IncomingMessage } from "node:http";
import { isJson } from "../../access/keyless.ts";
import { HttpProblem } from "./problems.ts";

export interface BodyLimits {
  bytesMax: number;
  /** From the first look to the last byte. */
  msMax: number;
}

/** Body of a JSON request. Throws HttpProblem: not_json, body_too_large, slow_body, incomplete_body. */
export async function readJsonBody(incoming: IncomingMessage, limits: BodyLimits): Promise<Uint8Array> {
  const type = incoming.headers["content-type"];
  if (!isJson(type)) {
    throw new HttpProblem(
      "not_json",
      `The Content-Type is ${type === undefined ? "missing" : `"${type.slice(0, 80)}"`}.`,
      {
        field: "header Content-Type",
        remedy: 'Send "Content-Type: application/json".',
      },
    );
  }
  const encoding = incoming.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new HttpProblem("not_json", "Compressed bodies are not taken.", {
      field: "header Content-Encoding",
      remedy: "Send the body as it is.",
    });
  }
  if (Number(incoming.headers["content-length"] ?? 0) > limits.bytesMax) throw tooLarge(limits.bytesMax);
  return collect(incoming, limits);
}

const tooLarge = (bytesMax: number): HttpProblem =>
  new HttpProblem(
    "body_too_large",
    `The body is larger than ${bytesMax} bytes.`,
    { field: "body", remedy: "Send less, or cut the work into several jobs." },
    // The rest of the body would otherwise be read as the next request's.
    { connection: "close" },
  );

function collect(incoming: IncomingMessage, { bytesMax, msMax }: BodyLimits): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const done = (act: () => void): void => {
      clearTimeout(timer);
      incoming.off("data", onData).off("end", onEnd).off("error", onCut).off("close", onCut);
      act();
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > bytesMax) done(() => reject(tooLarge(bytesMax)));
      else chunks.push(chunk);
    };
    const onEnd = (): void => done(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    const onCut = (): void =>
      done(() =>
        reject(new HttpProblem("incomplete_body", "The connection closed within the body.", { field: "body" })),
      );
    const timer = setTimeout(() => {
      const detail = `The body did not arrive within ${msMax / 1000} s.`;
      const remedy = "Send it faster, or less of it.";
      done(() => reject(new HttpProblem("slow_body", detail, { field: "body", remedy }, { connection: "close" })));
    }, msMax);
    incoming.on("data", onData).on("end", onEnd).on("error", onCut).on("close", onCut);
    // The client may have gone while its credential was being looked at: no event comes any more.
    if (incoming.destroyed && !incoming.complete) onCut();
  });
}
