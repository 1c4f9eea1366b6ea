/** Programs to begin with. A test runs each of them. */
export interface Example {
  title: string;
  language: "assemblyscript" | "wgsl";
  code: string;
  /** "range": `count` tasks. "lines": a task for each line. */
  kind: "range" | "lines";
  count: number;
  lines: string;
}

export const examples: readonly Example[] = [
  {
    title: "Collatz: how long until one?",
    language: "assemblyscript",
    kind: "range",
    count: 2_000,
    lines: "",
    code: `import { index, answer } from "./queztl";

// Called once for each task; the task's input is its number.
export function run(at: usize, length: i32): u64 {
  let n = index(at) + 1;
  let steps = 0;
  for (; n != 1; steps++) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
  return answer(steps.toString());
}
`,
  },
  {
    title: "Pi, from random numbers",
    language: "assemblyscript",
    kind: "range",
    count: 64,
    lines: "",
    code: `import { answer, random } from "./queztl";

// Random numbers depend on the job's seed and the task's number,
// so every machine draws the same, and results can be checked.
export function run(at: usize, length: i32): u64 {
  const darts = 1000000;
  let inside = 0;
  for (let dart = 0; dart < darts; dart++) {
    const x = random(), y = random();
    if (x * x + y * y < 1) inside++;
  }
  return answer((4.0 * inside / darts).toString());
}
`,
  },
  {
    title: "Words: letters and vowels",
    language: "assemblyscript",
    kind: "lines",
    count: 1,
    lines: "volunteer\ncompute\ngrid\nquetzal\nbrowser\n",
    code: `import { text, answer } from "./queztl";

// The task's input is its line.
export function run(at: usize, length: i32): u64 {
  const word = text(at, length);
  let vowels = 0;
  for (let i = 0; i < word.length; i++) if ("aeiou".includes(word.charAt(i))) vowels++;
  return answer('{"letters":' + word.length.toString() + ',"vowels":' + vowels.toString() + "}");
}
`,
  },
  {
    title: "A shader: Collatz on graphics processors",
    language: "wgsl",
    kind: "range",
    count: 20_000,
    lines: "",
    code: `// One invocation for each task. The grid adds invocation(), is_over() and task_number().
@group(0) @binding(1) var<storage, read_write> output: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let at = invocation(id);
  if (is_over(at)) { return; }
  var n = task_number(at) + 1u;
  var steps = 0u;
  while (n != 1u) {
    if (n % 2u == 0u) { n = n / 2u; } else { n = 3u * n + 1u; }
    steps++;
  }
  output[at] = steps;
}
`,
  },
];
