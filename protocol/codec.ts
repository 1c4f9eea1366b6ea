/** The only parser of wire bytes. What passes here is typed; nothing after it casts. */
import { Packr } from "msgpackr";
import { limits } from "./limits.ts";
import { type CoordinatorMessage, coordinatorMessageSchema, type NodeMessage, nodeMessageSchema } from "./messages.ts";

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
  return decode(frame, limits.nodeFrameBytesMax, nodeMessageSchema);
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

function decode<T>(frame: Uint8Array, bytesMax: number, schema: Schema<T>): T[] {
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
    const parsed = schema.safeParse(value[index]);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new ProtocolError(`[${index}].${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? "invalid"}`);
    }
    messages.push(parsed.data);
  }
  return messages;
}
