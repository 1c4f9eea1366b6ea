import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { providerConformance } from "./conformance.ts";
import { LocalProvider } from "./local.ts";

/** Stands for the worker: holds its parent's pipe, and ends with it. */
const worker = `process.stdin.on("end", () => process.exit(0)); process.stdin.resume();`;

providerConformance(
  "local",
  async () => {
    const dir = await mkdtemp(join(tmpdir(), "queztl-local-"));
    const file = join(dir, "worker.mjs");
    await writeFile(file, worker);
    const made = (): LocalProvider =>
      new LocalProvider({ file, dir: join(dir, "instances"), env: {}, memoryBytes: 2 ** 30, log: () => {} });
    const provider = made();
    return {
      provider,
      again: made,
      until: async (done) => {
        for (const end = Date.now() + 10_000; !(await done()); ) {
          if (Date.now() > end) throw new Error("It took too long.");
          await new Promise((resolve) => setTimeout(resolve, 25));
        }
      },
      remove: async () => {
        await provider.close();
        await rm(dir, { recursive: true, force: true });
      },
    };
  },
  { timeoutMs: 30_000 },
);
