/** A matrix as NumPy's .npy file, version 1.0: `numpy.load` reads it. */
export function npyOf(rows: number, columns: number, entries: Float64Array | Float32Array): Uint8Array {
  const kind = entries instanceof Float32Array ? "<f4" : "<f8";
  const header = `{'descr': '${kind}', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
  // The numbers begin at a multiple of 64 bytes.
  const length = Math.ceil((10 + header.length + 1) / 64) * 64;
  const bytes = new Uint8Array(length + entries.byteLength);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(bytes.buffer).setUint16(8, length - 10, true);
  bytes.set(new TextEncoder().encode(`${header.padEnd(length - 11)}\n`), 10);
  bytes.set(new Uint8Array(entries.buffer, entries.byteOffset, entries.byteLength), length);
  return bytes;
}
