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

/** What a node's signature speaks of: the range, the kernel that ran, and the root over the grains' partials. */
export type SignedResult = Pick<
  ResultMessage,
  "lease" | "job" | "round" | "lo" | "hi" | "backend" | "kernel" | "build" | "root"
>;

/** The bytes that a node signs for a result. `root` binds each grain's partial to its index (merkle.ts). */
export function resultBytes(result: SignedResult): Uint8Array {
  const { lease, job, round, lo, hi, backend, kernel, build } = result;
  let root = "";
  for (const byte of result.root) root += byte.toString(16).padStart(2, "0");
  return encoder.encode(
    `queztl.result.v2\n${lease}\n${job}\n${round}\n${lo}\n${hi}\n${backend}\n${kernel}\n${build}\n${root}`,
  );
}
