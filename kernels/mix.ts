/** The 32-bit mixer of `kernels/assembly/entries.ts`, for whoever makes again what kernels made of it. */
export function mix(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x21f0aaad);
  x ^= x >>> 15;
  x = Math.imul(x, 0xd35a2d97);
  return x ^ (x >>> 15);
}
