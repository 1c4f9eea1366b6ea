import { describe, expect, it } from "vitest";
import { determinismClass, fingerprint } from "./gpu-class.ts";

describe("a GPU's determinism class", () => {
  it("is FNV-1a of the bits", () => {
    // Vectors of the authors' test suite.
    expect(fingerprint(new Uint8Array())).toBe("cbf29ce484222325");
    expect(fingerprint(new TextEncoder().encode("a"))).toBe("af63dc4c8601ec8c");
    expect(fingerprint(new TextEncoder().encode("foobar"))).toBe("85944171f73967e8");
  });

  it("is unknown where the probe does not run", async () => {
    expect(await determinismClass({} as GPUDevice)).toBeNull();
  });
});
