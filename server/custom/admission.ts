/**
 * Takes in researchers' code: it is compiled, inspected and tried in a child process that is killed when it takes too
 * long, and becomes a kernel that the job pins. Nothing of it reaches a volunteer before it passed here.
 */
import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { inputBytesMax } from "../../kernels/workloads/custom/inputs.ts";
import { type CustomPayload, limitsOf, moduleBytesMax, payloadSchema } from "../../kernels/workloads/custom/payload.ts";
import { type Blobs, fileReader } from "../blobs/blobs.ts";
import type { Admission } from "../shell/acceptance.ts";
import { GridError } from "../transport/grid.ts";
import { indexLines, linesMax, wholeLines } from "./lines.ts";
import type { Fault, Order, ShaderFacts, Word } from "./messages.ts";
import { wholeShader } from "./shader.ts";

interface UploadedInputs {
  found: { input_bytes: number; input_lines?: { count: number; offsets: string; longest: number } };
  /** Its first records or lines. */
  trial: { base64: string; record_bytes: number } | { lines: string };
}

/** What code is tried with of a file. */
const trialRecordsMax = 256;
const trialBytesMax = 1 << 20;

export interface CustomPorts {
  /** Uploads, and whose they are. */
  files: Blobs;
  owns(blob: string, submitter: string): boolean;
  /** Keeps bytes durably; resolves with their SHA-256. */
  putBlob(bytes: Uint8Array): Promise<string>;
  /** The bundled program of the child process. */
  workshopFile: string;
  /** The compiler has so long. */
  compileMsMax?: number;
}

interface Made {
  role: "wasm-scalar" | "wgsl";
  file: Uint8Array;
  taskMs: number;
  resumable?: boolean;
  shader?: ShaderFacts;
}

/** Of a shader nobody knows before it ran. */
const shaderTaskMs = 0.01;

/** What AssemblyScript imports as "./queztl". */
const library = readFileSync(new URL("../../kernels/assembly/queztl.ts", import.meta.url), "utf8");
/** Compiling and trying takes a core each. */
const workshopsMax = 2;
const waitingMax = 64;
/** What was tried lately: the same code is not tried again. */
const knownMax = 64;
const compileMsDefault = 30_000;
/** A child needs as long to start on a busy machine. */
const graceMs = 5_000;
const childMegabytes = 512;

export class CustomAdmission {
  readonly #known = new Map<string, Made>();
  #busy = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly ports: CustomPorts) {}

  readonly admit: Admission = async (given, submitter) => {
    const payload = given as CustomPayload;
    if (payload.admitted) {
      const remedy = "Leave it out: the coordinator sets it.";
      throw new GridError("invalid_payload", "admitted is not for submitters.", { field: "payload.admitted", remedy });
    }
    const file = await this.#fileOf(payload, submitter);
    const made = await this.#made(file ? { ...payload, inputs: file.trial } : payload);
    const sha256 = await this.ports.putBlob(made.file);
    const files = { [made.role]: { sha256, bytes: made.file.length } };
    const kernel = createHash("sha256").update(JSON.stringify(files)).digest("hex");
    const { code: _, module: __, ...rest } = payload;
    const input = file?.found ?? {};
    const shader = made.shader ? { shader: made.shader } : { resumable: made.resumable ?? false };
    const admitted = { module: sha256, bytes: made.file.length, task_ms: made.taskMs, ...shader, ...input };
    const whole = { ...rest, admitted };
    // How many tasks there are is known only now.
    const fault = file ? payloadSchema.safeParse(whole).error?.issues[0] : undefined;
    if (fault) throw new GridError("invalid_payload", fault.message, { field: `payload.${fault.path.join(".")}` });
    return { payload: whole, kernel, files };
  };

  /** The uploaded file that holds the inputs, and its first records, by which the code is tried; null where there is none. */
  async #fileOf({ inputs }: CustomPayload, submitter: string): Promise<UploadedInputs | null> {
    if (!("blob" in inputs)) return null;
    const { blob } = inputs;
    const stat = this.ports.owns(blob, submitter) ? await this.ports.files.stat(blob) : null;
    if (!stat) {
      const remedy = "Upload it first: POST /api/v1.2/blobs.";
      throw new GridError("invalid_payload", "There is no such upload of yours.", {
        field: "payload.inputs.blob",
        remedy,
      });
    }
    if ("format" in inputs) return this.#linesOf(blob, stat.bytes);
    const { record_bytes } = inputs;
    if (stat.bytes === 0 || stat.bytes % record_bytes !== 0) {
      const message = `The file's ${stat.bytes} bytes are no whole number of records of ${record_bytes}.`;
      throw new GridError("invalid_payload", message, {
        field: "payload.inputs.record_bytes",
        remedy: "Correct one of both.",
      });
    }
    const records = Math.max(1, Math.min(trialRecordsMax, Math.floor(trialBytesMax / record_bytes)));
    const first = await fileReader(this.ports.files).read(blob, 0, Math.min(stat.bytes, records * record_bytes));
    const trial = { base64: Buffer.from(first).toString("base64"), record_bytes };
    return { found: { input_bytes: stat.bytes }, trial };
  }

  /** Where its lines begin is kept beside the file. */
  async #linesOf(blob: string, bytes: number): Promise<UploadedInputs> {
    const { files } = this.ports;
    const source = await files.read(blob, 0, bytes);
    const lines = source && (await indexLines(source));
    if (!lines || typeof lines === "string") {
      const remedy = `Send at most ${linesMax} lines, each of at most ${inputBytesMax} bytes.`;
      throw new GridError("invalid_payload", lines || "The file is gone.", { field: "payload.inputs.blob", remedy });
    }
    const { count, longest, offsets } = lines;
    const end = offsets[Math.min(trialRecordsMax, count)] as number;
    const first = await fileReader(files).read(blob, 0, Math.min(end, Math.max(trialBytesMax, offsets[1] as number)));
    const kept = await files.put(new Uint8Array(offsets.buffer, 0, 8 * (count + 1)));
    return {
      found: { input_bytes: bytes, input_lines: { count, longest, offsets: kept } },
      trial: { lines: new TextDecoder().decode(wholeLines(first)) },
    };
  }

  async #made(payload: CustomPayload): Promise<Made> {
    // Other inputs are another job, of the same code.
    const { inputs: _, ...code } = payload;
    const key = createHash("sha256").update(JSON.stringify(code)).digest("hex");
    const known = this.#known.get(key);
    if (known) return known;
    const made = await this.#inTurn(() =>
      tryIn(payload, this.ports.workshopFile, this.ports.compileMsMax ?? compileMsDefault),
    );
    this.#known.set(key, made);
    if (this.#known.size > knownMax) this.#known.delete(this.#known.keys().next().value as string);
    return made;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy >= workshopsMax) {
      if (this.#waiting.length >= waitingMax) {
        throw new GridError("overloaded", `${waitingMax} submissions of code wait to be tried.`, {
          retryAfterSeconds: 10,
        });
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#busy++;
    try {
      return await work();
    } finally {
      this.#busy--;
      this.#waiting.shift()?.();
    }
  }
}

function start(workshopFile: string): ChildProcess {
  return fork(workshopFile, [], {
    execArgv: [`--max-old-space-size=${childMegabytes}`],
    // Nothing of the coordinator's secrets is in the child's surroundings.
    env: {},
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
}

function tryIn(payload: CustomPayload, workshopFile: string, compileMsMax: number): Promise<Made> {
  const field = payload.language === "wasm" ? "module" : "code";
  const taskMsMax = limitsOf(payload).taskSeconds * 1_000;
  return new Promise((resolve, reject) => {
    const child = start(workshopFile);
    let wasm: Uint8Array | null = null;
    let timer: NodeJS.Timeout;
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      child.on("error", () => {});
      child.kill("SIGKILL");
      settle();
    };
    const refuse = (fault: Fault): void => end(() => reject(refusal(fault)));
    const patience = (ms: number, fault: Fault): void => {
      clearTimeout(timer);
      timer = setTimeout(() => refuse(fault), ms);
    };
    const late = (what: string, remedy: string): Fault => ({ field, errors: [what], remedy });
    const lateTask = late(
      `A task ran longer than ${limitsOf(payload).taskSeconds} s.`,
      "Cut the work into more tasks, raise limits.task_seconds (to 60), or export begin, step and output.",
    );
    patience(
      compileMsMax + graceMs,
      late(`The compiler took longer than ${compileMsMax / 1_000} s.`, "Send less code."),
    );
    child.on("message", (word: Word) => {
      if (word.type === "fault") refuse(word.fault);
      else if (word.type === "tried") end(() => resolve({ role: "wasm-scalar", file: wasm as Uint8Array, ...word }));
      else if (word.type === "shader") {
        const file = Buffer.from(wholeShader(payload.code ?? ""));
        end(() => resolve({ role: "wgsl", file, taskMs: shaderTaskMs, shader: word.shader }));
      } else {
        if (word.type === "compiled") wasm = new Uint8Array(word.wasm);
        if (wasm && wasm.length > moduleBytesMax)
          refuse(late(`The module has ${wasm.length} bytes; at most ${moduleBytesMax}.`, "Send less code."));
        else patience(taskMsMax + graceMs, lateTask);
      }
    });
    child.on("error", (error) => end(() => reject(error)));
    child.on("exit", (code, signal) =>
      refuse(late(`The code ended the process that tried it (${signal ?? `code ${code}`}).`, "Use less memory.")),
    );
    child.send({ payload, library } satisfies Order, () => {});
  });
}

const refusal = ({ field, errors, remedy }: Fault): GridError =>
  new GridError("invalid_payload", errors[0] ?? "The code cannot be taken.", {
    field: `payload.${field}`,
    errors: errors.map((message) => ({ field: `payload.${field}`, message })),
    remedy,
  });
