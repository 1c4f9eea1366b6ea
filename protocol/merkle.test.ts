import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  grainLeaf,
  inclusionProof,
  inclusionProofs,
  leafHash,
  MerkleRoot,
  merkleRoot,
  nodeHash,
  resultRoot,
  verifyInclusion,
} from "./merkle.ts";
import { packPartials } from "./partials.ts";

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(bytes).digest());
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const leavesOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => grainLeaf(index, Uint8Array.of(index & 0xff, index >> 8), sha256));

describe("a Merkle tree", () => {
  // Test vectors of the reference implementation of Certificate Transparency (google/certificate-transparency).
  const data = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
  const roots = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  ];
  it("has the roots that RFC 6962 says", () => {
    const leaves = data.map((text) => leafHash(Buffer.from(text, "hex"), sha256));
    for (const [size, root] of roots.entries()) expect(hex(merkleRoot(leaves.slice(0, size), sha256))).toBe(root);
  });
  it("has a root at any time, while leaves still come", () => {
    const leaves = data.map((text) => leafHash(Buffer.from(text, "hex"), sha256));
    const tree = new MerkleRoot(sha256);
    for (const [index, leaf] of leaves.entries()) {
      tree.add(leaf);
      expect(hex(tree.root)).toBe(roots[index + 1]);
    }
  });
  it("proves each leaf, and nothing else", () => {
    for (const size of [1, 2, 3, 5, 7, 8, 13, 64, 100]) {
      const leaves = leavesOf(size);
      const root = merkleRoot(leaves, sha256);
      const all = inclusionProofs(leaves, sha256);
      for (const [index, leaf] of leaves.entries()) {
        const proof = inclusionProof(leaves, index, sha256);
        expect(all[index]).toEqual(proof);
        expect(proof.length).toBeLessThanOrEqual(Math.ceil(Math.log2(size)));
        expect(verifyInclusion(leaf, index, size, proof, root, sha256)).toBe(true);
        expect(verifyInclusion(sha256(leaf), index, size, proof, root, sha256)).toBe(false);
        if (size === 1) continue;
        expect(verifyInclusion(leaf, (index + 1) % size, size, proof, root, sha256)).toBe(false);
        expect(verifyInclusion(leaf, index, size, proof.slice(1), root, sha256)).toBe(false);
        expect(verifyInclusion(leaf, index, size, [...proof, leaf], root, sha256)).toBe(false);
        const other = proof.map((hash, at) => (at === 0 ? sha256(hash) : hash));
        expect(verifyInclusion(leaf, index, size, other, root, sha256)).toBe(false);
      }
    }
  });
  it("refuses leaves that are not there", () => {
    expect(() => inclusionProof(leavesOf(3), 3, sha256)).toThrow(RangeError);
    expect(() => inclusionProof(leavesOf(3), -1, sha256)).toThrow(RangeError);
    const root = merkleRoot(leavesOf(1), sha256);
    for (const [index, size] of [
      [1, 1],
      [-1, 1],
      [0.5, 1],
      [0, 0],
      [0, 2 ** 40],
    ] as const) {
      expect(verifyInclusion(leavesOf(1)[0] as Uint8Array, index, size, [], root, sha256)).toBe(false);
    }
  });
  it("takes no inner node for a leaf", () => {
    const [a, b, c, d] = leavesOf(4) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const root = merkleRoot([a, b, c, d], sha256);
    const left = nodeHash(a, b, sha256);
    const forged = leafHash(Buffer.concat([a, b]), sha256);
    expect(hex(forged)).not.toBe(hex(left));
    expect(verifyInclusion(forged, 0, 2, [nodeHash(c, d, sha256)], root, sha256)).toBe(false);
  });
});

describe("a result's root", () => {
  it("changes with any byte of any partial, with their order, and with the first grain", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 40 }),
        fc.nat(2 ** 20 - 50),
        fc.nat(),
        (partials, lo, at) => {
          const root = hex(resultRoot(lo, packPartials(partials), sha256));
          const index = at % partials.length;
          const changed = partials.map((partial, i) =>
            i === index ? Uint8Array.from(partial, (b) => b ^ 1) : partial,
          );
          expect(hex(resultRoot(lo, packPartials(changed), sha256))).not.toBe(root);
          expect(hex(resultRoot(lo + 1, packPartials(partials), sha256))).not.toBe(root);
          const longer = [...partials, new Uint8Array(0)];
          expect(hex(resultRoot(lo, packPartials(longer), sha256))).not.toBe(root);
        },
      ),
      { numRuns: 50 },
    );
    const [a, b] = [Uint8Array.of(1), Uint8Array.of(2)];
    expect(hex(resultRoot(0, packPartials([a, b]), sha256))).not.toBe(hex(resultRoot(0, packPartials([b, a]), sha256)));
  });
  it("shows one grain of many", () => {
    const partials = Array.from({ length: 1_000 }, (_, index) => Uint8Array.of(index & 0xff, index >> 8));
    const root = resultRoot(500, packPartials(partials), sha256);
    const leaves = partials.map((partial, index) => grainLeaf(500 + index, partial, sha256));
    const proof = inclusionProof(leaves, 333, sha256);
    expect(proof).toHaveLength(10);
    const leaf = grainLeaf(833, partials[333] as Uint8Array, sha256);
    expect(verifyInclusion(leaf, 333, 1_000, proof, root, sha256)).toBe(true);
    const lie = grainLeaf(833, Uint8Array.of(9, 9), sha256);
    expect(verifyInclusion(lie, 333, 1_000, proof, root, sha256)).toBe(false);
  });
  it("is that of a tree of its grains' leaves, whatever their number", () => {
    for (let size = 0; size <= 70; size++) {
      const partials = Array.from({ length: size }, (_, index) => new Uint8Array(index % 5).fill(index));
      const leaves = partials.map((partial, index) => grainLeaf(1_000_000 + index, partial, sha256));
      expect(hex(resultRoot(1_000_000, packPartials(partials), sha256))).toBe(hex(merkleRoot(leaves, sha256)));
    }
  });
  it("is refused for malformed partials", () => {
    expect(() => resultRoot(0, Uint8Array.of(9, 0, 1), sha256)).toThrow(RangeError);
  });
});
