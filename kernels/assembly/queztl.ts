/** What researchers' AssemblyScript imports as "./queztl": reading a task's input, answering, and the grid's two services. */

// @ts-ignore: decorator
@external("queztl", "progress")
declare function tellProgress(fraction: f64): void;
// @ts-ignore: decorator
@external("queztl", "random")
declare function drawRandom(): f64;

/** Room for an input, at the address that `run` is then given. */
export function alloc(length: i32): i32 {
  return heap.alloc(length as usize) as i32;
}

/** The task's number, where the inputs are a range. */
export function index(at: usize): u64 {
  return load<u64>(at);
}

/** The input as text, from UTF-8. */
export function text(at: usize, length: i32): string {
  return String.UTF8.decodeUnsafe(at, length as usize);
}

/** The input's bytes. */
export function bytes(at: usize, length: i32): Uint8Array {
  const copy = new Uint8Array(length);
  memory.copy(copy.dataStart, at, length as usize);
  return copy;
}

/** What `run` returns to answer with a text, in UTF-8. */
export function answer(output: string): u64 {
  const length = String.UTF8.byteLength(output);
  const at = heap.alloc(length as usize);
  String.UTF8.encodeUnsafe(changetype<usize>(output), output.length, at);
  return ((length as u64) << 32) | (at as u64);
}

/** What `run` returns to answer with bytes. */
export function answerBytes(output: Uint8Array): u64 {
  return ((output.length as u64) << 32) | (output.dataStart as u64);
}

/** Tells how much of the task is done, 0 to 1. */
export function progress(fraction: f64): void {
  tellProgress(fraction);
}

/** A number from 0 up to 1, drawn from the job's seed and the task's number: the same wherever the task runs. */
export function random(): f64 {
  return drawRandom();
}
