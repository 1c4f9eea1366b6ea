/** What a job of the researcher's own code is asked: code, inputs, limits. */
import * as z from "zod";
import { bytesOfBase64, inputsSchema, tasksOf } from "./inputs.ts";

/** Outputs of a grain travel in one partial, each with two bytes of length. */
export const grainOutputBytesMax = 65_000;
/** All outputs together are one result. */
export const jobOutputBytesMax = 256 << 20;
export const moduleBytesMax = 2 << 20;

const limitsSchema = z.strictObject({
  memory_mb: z
    .number()
    .int()
    .min(1)
    .max(1_024)
    .optional()
    .describe("What the module's memory may grow to; 64 without it."),
  task_seconds: z
    .number()
    .min(0.1)
    .max(60)
    .default(10)
    .describe("What one task may take on the coordinator's machine."),
  output_bytes: z.number().int().min(1).max(60_000).optional().describe("What one task may answer; 250 without it."),
});

/** What a shader's array of params may hold. */
export const paramTypes = ["f32", "u32", "i32"] as const;

/** What the coordinator found when it tried the code; set by it alone. */
const admittedSchema = z.strictObject({
  module: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number(),
  task_ms: z.number().positive(),
  /** Whether a task that is under way can go on on another node. */
  resumable: z.boolean().optional(),
  /** Of the uploaded file; of one of lines their number, where they begin, and the longest. */
  input_bytes: z.number().optional(),
  input_lines: z.strictObject({ count: z.number(), offsets: z.string(), longest: z.number() }).optional(),
  /** Of a shader: as it declares them. */
  shader: z.strictObject({ workgroup_size: z.number().int(), params: z.enum(paramTypes) }).optional(),
});

export const payloadSchema = z
  .strictObject({
    language: z.enum(["assemblyscript", "wasm", "wgsl"]).describe("What `code` is, or `module`."),
    code: z
      .string()
      .min(1)
      .max(256 << 10)
      .optional()
      .describe("AssemblyScript, which the coordinator compiles, or a WGSL shader."),
    module: z
      .base64()
      .max((moduleBytesMax * 4) / 3 + 4)
      .optional()
      .describe("A WebAssembly module, in base64."),
    inputs: inputsSchema,
    params: z
      .unknown()
      .optional()
      .describe("Handed to `init` as JSON, before the first task; numbers in a list, for a shader."),
    output: z
      .enum(["json", "text", "binary", "u32", "i32", "f32"])
      .optional()
      .describe("How each task's output is read: json without it, u32 of a shader."),
    invocations_per_task: z
      .number()
      .int()
      .min(1)
      .max(1 << 20)
      .optional()
      .describe("Of a shader; 1 without it."),
    tolerance: z
      .number()
      .min(0)
      .max(2 ** 31)
      .optional()
      .describe(
        "Of a shader: how far the numbers of two GPUs may be apart, as a share of an f32 (1e-4), else a count (0).",
      ),
    merge: z
      .boolean()
      .optional()
      .describe("Folds all outputs into one by the module's `merge`, which must not mind how they are grouped."),
    seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional().describe("Of queztl.random; 0 without it."),
    limits: limitsSchema.optional(),
    tasks_per_grain: z.number().int().min(1).max(65_536).optional().describe("Left out: about a second of one core."),
    admitted: admittedSchema.optional().describe("Set by the coordinator."),
  })
  .superRefine((payload, context) => {
    const wrong = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: "custom", path, message });
    const { language, code, module, inputs, admitted } = payload;
    if (admitted === undefined) {
      if (language === "assemblyscript" && code === undefined) wrong(["code"], "the AssemblyScript to compile");
      if (language === "wgsl" && code === undefined) wrong(["code"], "the shader, in WGSL");
      if (language === "wasm" && module === undefined) wrong(["module"], "the WebAssembly module, in base64");
      if (language !== "wasm" && module !== undefined) wrong(["module"], "goes with language wasm");
      if (language === "wasm" && code !== undefined) wrong(["code"], "goes with language assemblyscript or wgsl");
    }
    if (language === "wgsl") for (const [path, message] of shaderFaults(payload)) wrong(path, message);
    else {
      for (const field of ["invocations_per_task", "tolerance"] as const)
        if (payload[field] !== undefined) wrong([field], "goes with language wgsl");
    }
    if ("base64" in inputs && bytesOfBase64(inputs.base64) % inputs.record_bytes !== 0)
      wrong(["inputs", "base64"], `its ${bytesOfBase64(inputs.base64)} bytes are no whole number of records`);
    const most = Math.floor(jobOutputBytesMax / limitsOf(payload).outputBytes);
    if (!payload.merge && tasksOf(payload) > most)
      wrong(
        ["inputs"],
        `${tasksOf(payload)} tasks of up to ${limitsOf(payload).outputBytes} bytes each answer more than ${jobOutputBytesMax >> 20} MiB; lower limits.output_bytes, or submit at most ${most} tasks in a job`,
      );
    const fitting = grainTasksMax(payload);
    if ((payload.tasks_per_grain ?? 1) > fitting)
      wrong(["tasks_per_grain"], `at most ${fitting}, since the outputs of a grain travel together`);
  });

export type CustomPayload = z.infer<typeof payloadSchema>;

export interface Limits {
  memoryMb: number;
  taskSeconds: number;
  outputBytes: number;
}

export function limitsOf({ limits, language }: Pick<CustomPayload, "limits" | "language">): Limits {
  const { memory_mb = 64, task_seconds = 10, output_bytes = language === "wgsl" ? 4 : 250 } = limits ?? {};
  return { memoryMb: memory_mb, taskSeconds: task_seconds, outputBytes: output_bytes };
}

export type Reading = NonNullable<CustomPayload["output"]>;
export const outputOf = ({ output, language }: CustomPayload): Reading =>
  output ?? (language === "wgsl" ? "u32" : "json");

/** Numbers that a shader may be given as its params. */
const shaderParamsMax = 16_384;

/** What a shader cannot have. */
function shaderFaults(payload: CustomPayload): [path: string[], message: string][] {
  const { inputs, merge, params } = payload;
  const faults: [string[], string][] = [];
  if ("values" in inputs || "lines" in inputs || "format" in inputs)
    faults.push([["inputs"], "a shader takes a count, or records"]);
  else if ("record_bytes" in inputs && inputs.record_bytes % 4 !== 0)
    faults.push([["inputs", "record_bytes"], "a multiple of 4 for a shader, which reads words"]);
  if (merge) faults.push([["merge"], "a shader has no merge"]);
  if (limitsOf(payload).outputBytes % 4 !== 0)
    faults.push([["limits", "output_bytes"], "a multiple of 4 for a shader, which writes words"]);
  const isList = params === undefined || (Array.isArray(params) && params.every((value) => typeof value === "number"));
  if (!isList || (Array.isArray(params) && params.length > shaderParamsMax))
    faults.push([["params"], `a list of at most ${shaderParamsMax} numbers for a shader`]);
  return faults;
}

/** Tasks whose outputs fit into one partial, whatever they are. */
export const grainTasksMax = (payload: Pick<CustomPayload, "limits" | "language">): number =>
  Math.max(1, Math.floor(grainOutputBytesMax / (limitsOf(payload).outputBytes + 2)));
