import type { ResultMessage } from "./messages.ts";

const encoder = new TextEncoder();

/** The bytes that a node signs to prove its identity on a new connection. */
export function helloBytes(nonce: Uint8Array, session: string): Uint8Array {
  const tail = encoder.encode(`\n${session}`);
  const head = encoder.encode("queztl.hello.v1\n");
  const out = new Uint8Array(head.length + nonce.length + tail.length);
  out.set(head);
  out.set(nonce, head.length);
  out.set(tail, head.length + nonce.length);
  return out;
}

/**
 * The bytes that a node signs for a result: what was computed, by which kernel, and
 * the SHA-256 (hex) of the packed partials.
 */
export function resultBytes(
  result: Pick<ResultMessage, "lease" | "job" | "round" | "lo" | "hi" | "backend" | "kernel" | "build">,
  partialsSha256: string,
): Uint8Array {
  return encoder.encode(
    `queztl.result.v1\n${result.lease}\n${result.job}\n${result.round}\n${result.lo}\n${result.hi}\n` +
      `${result.backend}\n${result.kernel}\n${result.build}\n${partialsSha256}`,
  );
}
