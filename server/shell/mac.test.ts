import { createHmac } from "node:crypto";
import { expect, it } from "vitest";
import { createMac } from "./mac.ts";

it.each(["", "k", "a secret", "x".repeat(64), "longer than a block ".repeat(8), "schlüssel"])(
  "agrees with node:crypto under the key %j",
  (secret) => {
    const mac = createMac(secret);
    for (const text of ["", "1.a\njob\n0\n0\n10\nnode", "ä", "z".repeat(500)]) {
      expect(mac(text)).toBe(createHmac("sha256", secret).update(text).digest("base64url"));
    }
  },
);
