import fc from "fast-check";
import { Packr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { decodeFromNode, encodeToCoordinator, ProtocolError } from "./codec.ts";
import { limits } from "./limits.ts";
import { nodeMessageSchema } from "./messages.ts";
import { countPartials, packPartials, slicePartials, unpackPartials } from "./partials.ts";
import { whoMustUpgrade } from "./version.ts";

const packr = new Packr({ useRecords: false });

describe("codec", () => {
  it("names the field that is wrong", () => {
    const frame = packr.pack([{ type: "progress", leases: [{ lease: "a", done: -1, fraction: 0 }] }]);
    expect(() => decodeFromNode(frame)).toThrow(/\[0\]\.leases\.0\.done/);
  });
  it("refuses what is not an array of known messages", () => {
    for (const value of [{}, 7, "x", [{ type: "nonsense" }], [null]]) {
      expect(() => decodeFromNode(packr.pack(value))).toThrow(ProtocolError);
    }
  });
  it("refuses frames and counts beyond the limits", () => {
    expect(() => decodeFromNode(new Uint8Array(limits.nodeFrameBytesMax + 1))).toThrow(/at most/);
    const many = Array.from({ length: limits.frameMessagesMax + 1 }, () => ({ type: "bye", reason: "" }) as const);
    expect(() => decodeFromNode(encodeToCoordinator(many))).toThrow(/messages in a frame/);
  });
  it("takes a result exactly where its schema does, whichever field is odd", () => {
    const result = {
      type: "result",
      seq: 1,
      lease: "l",
      ticket: "t",
      job: "j",
      round: 0,
      leaseLo: 0,
      leaseHi: 4,
      lo: 1,
      hi: 2,
      backend: "wasm",
      kernel: "0f".repeat(32),
      build: "a1".repeat(32),
      partials: new Uint8Array([1, 0, 7]),
      computeMs: 2.5,
      root: new Uint8Array(32),
      signature: new Uint8Array(64),
    };
    const odd = [null, -1, 0, 1.5, 2 ** 21, 1e11, 2 ** 53, Number.NaN, "", "native", "x".repeat(64), "x".repeat(65)];
    const values = [...odd, "0F".repeat(32), new Uint8Array(64), new Uint8Array(65), [], {}, true, undefined];
    const decoded = (value: unknown): unknown => packr.pack(decodeFromNode(packr.pack([value]))[0]);
    expect(decoded(result)).toEqual(packr.pack(result));
    expect(decoded({ ...result, extra: 1 })).toEqual(packr.pack(result));
    for (const field of Object.keys(result)) {
      for (const value of values) {
        const changed = { ...result, [field]: value };
        const parsed = nodeMessageSchema.safeParse(packr.unpack(packr.pack(changed)));
        if (parsed.success) expect(decoded(changed)).toEqual(packr.pack(parsed.data));
        else expect(() => decoded(changed)).toThrow(`[0].${field}: ${parsed.error.issues[0]?.message}`);
      }
      const { [field as "seq"]: _, ...missing } = result;
      expect(() => decoded(missing)).toThrow(`[0].${field}`);
    }
  });
  it("throws nothing but ProtocolError, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          decodeFromNode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});

describe("partials", () => {
  const partials = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });
  it("come out as they went in", () => {
    fc.assert(
      fc.property(partials, (list) => {
        const packed = packPartials(list);
        expect(countPartials(packed)).toBe(list.length);
        expect(unpackPartials(packed)).toEqual(list);
      }),
    );
  });
  it("can be cut at any grain", () => {
    fc.assert(
      fc.property(partials, fc.nat(20), fc.nat(20), (list, a, b) => {
        const from = Math.min(a, b, list.length);
        const to = Math.min(Math.max(a, b), list.length);
        expect(unpackPartials(slicePartials(packPartials(list), from, to))).toEqual(list.slice(from, to));
      }),
    );
  });
  it("refuse truncated bytes and oversized partials", () => {
    expect(countPartials(new Uint8Array([2, 0, 1]))).toBe(-1);
    expect(countPartials(new Uint8Array([1]))).toBe(-1);
    expect(countPartials(new Uint8Array([0xff, 0xff]))).toBe(-1);
    expect(() => packPartials([new Uint8Array(limits.partialBytesMax + 1)])).toThrow(RangeError);
  });
});

describe("versions", () => {
  it("say which side must upgrade", () => {
    const now = { version: 3, minimum: 2 };
    expect(whoMustUpgrade({ version: 3, minimum: 3 }, now)).toBe("none");
    expect(whoMustUpgrade({ version: 1, minimum: 1 }, now)).toBe("node");
    expect(whoMustUpgrade({ version: 5, minimum: 4 }, now)).toBe("coordinator");
  });
});
