import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { tasksOf } from "../../kernels/workloads/custom/inputs.ts";
import { type CustomPayload, payloadSchema } from "../../kernels/workloads/custom/payload.ts";
import { MemoryBlobs } from "../blobs/memory.ts";
import { CustomAdmission } from "./admission.ts";

const workshopFile = fileURLToPath(new URL("../../dist/workshop.mjs", import.meta.url));
const kept = new Map<string, Uint8Array>();
const files = new MemoryBlobs();
const { admit } = new CustomAdmission({
  workshopFile,
  files,
  owns: (_, submitter) => submitter === "local",
  putBlob: async (bytes) => {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    kept.set(sha256, bytes);
    return sha256;
  },
});

const head =
  'import { index, text, answer, random, progress } from "./queztl";\nexport function run(at: usize, length: i32): u64 {\n';
const admitted = (payload: unknown) => admit(payload, "local");
const take = (body: string, more: Record<string, unknown> = {}) =>
  admitted(
    payloadSchema.parse({ language: "assemblyscript", code: `${head}${body}\n}\n`, inputs: { count: 5 }, ...more }),
  );
const refused = async (body: string, more?: Record<string, unknown>) => {
  const error: { code: string; details: { field: string; errors: { message: string }[]; remedy: string } } = await take(
    body,
    more,
  ).then(
    () => expect.unreachable("it was taken"),
    (problem) => problem,
  );
  return { code: error.code, field: error.details.field, told: error.details.errors.map(({ message }) => message) };
};

describe("researchers' code", { timeout: 60_000 }, () => {
  it("becomes a kernel that the job pins, and its payload says how long a task takes", async () => {
    const { payload, kernel, files } = await take("return answer(index(at).toString());");
    const { admitted, code } = payload as CustomPayload;
    expect(code).toBeUndefined();
    expect(files).toEqual({ "wasm-scalar": { sha256: admitted?.module, bytes: admitted?.bytes } });
    expect(kept.get(admitted?.module as string)).toHaveLength(admitted?.bytes as number);
    expect(kernel).toMatch(/^[0-9a-f]{64}$/);
    expect(admitted?.task_ms).toBeGreaterThan(0);
    expect(payloadSchema.safeParse(payload).success).toBe(true);
  });

  it("takes a module of any language, as the same kernel", async () => {
    const first = await take("return answer(text(at, length));", { inputs: { lines: '"a"' } });
    const { module } = (first.payload as CustomPayload).admitted as { module: string };
    const bytes = Buffer.from(kept.get(module) as Uint8Array).toString("base64");
    const again = await admitted(payloadSchema.parse({ language: "wasm", module: bytes, inputs: { lines: '"a"' } }));
    expect(again.kernel).toBe(first.kernel);
  });

  it("is refused with line and column where it does not compile", async () => {
    const { field, told } = await refused("let x = nope;\nreturn answer('1');");
    expect(field).toBe("payload.code");
    expect(told[0]).toMatch(/^line 3, column 9: AS\d+: Cannot find name 'nope'/);
  });

  it.each([
    ["a trap", "unreachable();\nreturn answer('1');", /Task 0 failed in run/],
    ["an endless loop", "for (;;) {}\nreturn answer('1');", /ran longer than 0.2 s/],
    ["memory without end", "while (true) heap.alloc(1 << 20);\nreturn answer('1');", /Task 0|memory/],
    ["an import", "return answer(Math.random().toString());", /imports env\.seed/],
    ["an output that is no JSON", "return answer('no');", /not JSON/],
    ["an output that is too long", "return answer('\"' + 'x'.repeat(2000) + '\"');", /limits\.output_bytes is 250/],
  ])("is refused for %s", async (_what, body, words) => {
    const { code, told } = await refused(body, { limits: { task_seconds: 0.2 } });
    expect([code, told[0]]).toEqual(["invalid_payload", expect.stringMatching(words)]);
  });

  it("is refused for a module that is none, or that engines may compute differently", async () => {
    const wasm = (bytes: number[]) =>
      admitted(
        payloadSchema.parse({ language: "wasm", module: Buffer.from(bytes).toString("base64"), inputs: { count: 1 } }),
      );
    await expect(wasm([1, 2, 3, 4])).rejects.toThrow(/magic|expected/i);
    // A memory, and (func (export "run") (param i32 i32) (result i64)) with an i32.atomic.load, which belongs to threads.
    const atomic = [
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7e, 3, 2, 1, 0, 5, 3, 1, 0, 1],
      ...[7, 16, 2, 6, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 2, 0, 3, 0x72, 0x75, 0x6e, 0, 0],
      ...[10, 13, 1, 11, 0, 0x20, 0, 0xfe, 0x10, 2, 0, 0x1a, 0x42, 0, 0x0b],
    ];
    await expect(wasm(atomic)).rejects.toThrow(/differ between engines, threads/);
  });

  it("is not admitted by its own word", async () => {
    const admitted = { module: "0".repeat(64), bytes: 1, task_ms: 1 };
    await expect(take("return answer('1');", { admitted })).rejects.toMatchObject({
      details: { field: "payload.admitted" },
    });
  });
});

describe("records of an uploaded file", () => {
  const code = `${head}  return answer(load<u8>(at).toString());\n}\n`;
  const job = (blob: string, record_bytes: number) =>
    payloadSchema.parse({ language: "assemblyscript", code, inputs: { blob, record_bytes } });

  it("are as many tasks as the file holds, tried with the first", async () => {
    const blob = await files.put(new Uint8Array(1_000).fill(7));
    const { payload } = await admit(job(blob, 4), "local");
    expect((payload as CustomPayload).admitted).toMatchObject({ input_bytes: 1_000 });
    expect(tasksOf(payload as CustomPayload)).toBe(250);
  });

  it("are refused where the file is another's, gone, or no whole number of them", async () => {
    const blob = await files.put(new Uint8Array(10));
    const field = (record_bytes: number, name = blob, submitter = "local"): Promise<string> =>
      admit(job(name, record_bytes), submitter).then(
        () => "taken",
        (error: { details: { field: string } }) => error.details.field,
      );
    expect(await field(5, blob, "eve")).toBe("payload.inputs.blob");
    expect(await field(5, "0".repeat(64))).toBe("payload.inputs.blob");
    expect(await field(3)).toBe("payload.inputs.record_bytes");
  });
});
