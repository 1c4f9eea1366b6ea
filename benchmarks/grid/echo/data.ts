/** Inputs and results of the benchmark's workload: 100 bytes each, all distinct, recomputable for the check afterwards. */
export const taskBytes = 100;

/** Inputs of tasks `first`.. of a run: noise that all share, stamped with the task's number. */
export function makeInputs(first: number, count: number): Buffer {
  const inputs = Buffer.alloc(count * taskBytes);
  for (let byte = 0; byte < taskBytes; byte++) inputs[byte] = (byte * 167 + 13) & 0xff;
  inputs.copyWithin(taskBytes, 0, 0);
  for (let task = 0; task < count; task++) {
    const at = task * taskBytes;
    if (task > 0) inputs.copyWithin(at, 0, taskBytes);
    inputs.writeDoubleLE(first + task, at);
  }
  return inputs;
}

/** Results of a slice's inputs, packed as the protocol packs partials: every byte's complement. */
export function packResults(inputs: Uint8Array): Uint8Array {
  const tasks = inputs.length / taskBytes;
  const packed = new Uint8Array(tasks * (2 + taskBytes));
  let to = 0;
  for (let from = 0; from < inputs.length; ) {
    packed[to++] = taskBytes;
    packed[to++] = 0;
    for (const end = from + taskBytes; from < end; ) packed[to++] = ~(inputs[from++] as number);
  }
  return packed;
}
