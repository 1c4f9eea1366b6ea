/** The only parser of wire bytes. What passes here is typed; nothing after it casts. */
import { Packr } from "msgpackr";
import { limits } from "./limits.ts";
import {
  type CoordinatorMessage,
  computeMsMax,
  coordinatorMessageSchema,
  type NodeMessage,
  nodeMessageSchema,
  type ResultMessage,
  resultSchema,
} from "./messages.ts";

const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: "number" });

/** A frame that breaks the protocol. `message` names the field. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}

export function encodeToNode(messages: readonly CoordinatorMessage[]): Uint8Array {
  return packr.pack(messages);
}

export function encodeToCoordinator(messages: readonly NodeMessage[]): Uint8Array {
  return packr.pack(messages);
}

/** Parses a frame that a node sent. Throws `ProtocolError`. */
export function decodeFromNode(frame: Uint8Array): NodeMessage[] {
  return decode(frame, limits.nodeFrameBytesMax, nodeMessageSchema, isPlainResult);
}

/** Parses a frame that the coordinator sent. Throws `ProtocolError`. */
export function decodeFromCoordinator(frame: Uint8Array): CoordinatorMessage[] {
  return decode(frame, limits.coordinatorFrameBytesMax, coordinatorMessageSchema);
}

interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: T }
    | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } };
}

const sha256Pattern = /^[0-9a-f]{64}$/;
const resultFields = Object.keys(resultSchema.shape).length;

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isGrain = (value: unknown): boolean => isCount(value) && (value as number) <= limits.jobGrainsMax;
const isId = (value: unknown): boolean => typeof value === "string" && value.length >= 1 && value.length <= 64;
const isSha256 = (value: unknown): boolean => typeof value === "string" && sha256Pattern.test(value);
const isBytes = (value: unknown, max: number): boolean => value instanceof Uint8Array && value.length <= max;

/**
 * Whether a message is a result that the schema would take as it is. Results are what a busy coordinator reads all
 * day; whatever this does not recognise goes to the schema, which takes it or says what is wrong.
 */
function isPlainResult(value: unknown): value is ResultMessage {
  if (typeof value !== "object" || value === null || (value as { type?: unknown }).type !== "result") return false;
  const of = value as Record<keyof ResultMessage, unknown>;
  return (
    Object.keys(of).length === resultFields &&
    isCount(of.seq) &&
    isId(of.lease) &&
    isId(of.ticket) &&
    isId(of.job) &&
    isCount(of.round) &&
    isGrain(of.leaseLo) &&
    isGrain(of.leaseHi) &&
    isGrain(of.lo) &&
    isGrain(of.hi) &&
    (of.backend === "wasm" || of.backend === "webgpu" || of.backend === "native") &&
    isSha256(of.kernel) &&
    isSha256(of.build) &&
    isBytes(of.partials, limits.nodeFrameBytesMax) &&
    typeof of.computeMs === "number" &&
    of.computeMs >= 0 &&
    of.computeMs <= computeMsMax &&
    isBytes(of.root, 32) &&
    isBytes(of.signature, 64)
  );
}

function decode<T>(
  frame: Uint8Array,
  bytesMax: number,
  schema: Schema<T>,
  isPlain: (value: unknown) => boolean = () => false,
): T[] {
  if (frame.length > bytesMax) throw new ProtocolError(`frame of ${frame.length} bytes; at most ${bytesMax}`);
  let value: unknown;
  try {
    value = packr.unpack(frame);
  } catch (error) {
    throw new ProtocolError(`not msgpack: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!Array.isArray(value)) throw new ProtocolError("a frame is an array of messages");
  if (value.length > limits.frameMessagesMax) {
    throw new ProtocolError(`${value.length} messages in a frame; at most ${limits.frameMessagesMax}`);
  }
  const messages: T[] = [];
  for (let index = 0; index < value.length; index++) {
    if (isPlain(value[index])) {
      messages.push(value[index] as T);
      continue;
    }
    const parsed = schema.safeParse(value[index]);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new ProtocolError(`[${index}].${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? "invalid"}`);
    }
    messages.push(parsed.data);
  }
  return messages;
}
