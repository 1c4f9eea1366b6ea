/**
 * What a worker keeps in its folder: its key, and the results that were not acknowledged yet. One file a
 * result, durable before `keep` resolves: a worker that is killed sends them when it is back.
 */
import { readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { Packr } from "msgpackr";
import { createIdentity, exportIdentity, identityPort, importIdentity } from "../agent/identity.ts";
import type { KeptResult } from "../agent/machine-state.ts";
import type { IdentityPort, StoragePort } from "../agent/ports.ts";
import { limits } from "../protocol/limits.ts";
import { resultSchema } from "../protocol/messages.ts";
import { makeFolder, syncFolder, writeAside } from "./durable.ts";

const packr = new Packr({ useRecords: false });
/** Files of versions before roots have none: the agent signs their results anew. */
const keptSchema = resultSchema
  .omit({ type: true })
  .extend({ root: resultSchema.shape.root.default(() => new Uint8Array(0)) });

/** Makes the folder's identity at the first start. The key file is readable by its owner only. */
export async function loadIdentity(folder: string): Promise<IdentityPort> {
  const file = join(folder, "identity.json");
  await makeFolder(folder);
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (text !== null) {
    try {
      return identityPort(await importIdentity(JSON.parse(text)));
    } catch (cause) {
      throw new Error(`${file} is damaged. Restore it, or remove it to get a new identity.`, { cause });
    }
  }
  // Whole and durable before it is used: a worker that is killed now has this key at its next start.
  const identity = await createIdentity(true);
  await writeAside(file, JSON.stringify(await exportIdentity(identity)), 0o600);
  await syncFolder(folder);
  return identityPort(identity);
}

/** A result to write, or null where it is to be removed. */
interface Wish {
  result: KeptResult | null;
  granted: Promise<void>;
  grant(): void;
  refuse(error: unknown): void;
}

/** Files written side by side in one turn. */
const turnMax = 64;

/**
 * Writes in turns: what is asked for while one is on its way makes up the next, with one sync of the folder, and a
 * result that is forgotten before its turn is never written. So a fast worker does not run ahead of its disk.
 */
export class FileStorage implements StoragePort {
  readonly #folder: string;
  readonly #seqs = new Set<number>();
  /** What the disk does not say yet, by sequence number. */
  readonly #wanted = new Map<number, Wish>();
  #turns: Promise<void> | null = null;

  constructor(
    dataDir: string,
    private readonly resultsMax: number = limits.unacknowledgedResultsMax,
  ) {
    this.#folder = join(dataDir, "results");
  }

  async load(): Promise<KeptResult[]> {
    await makeFolder(this.#folder);
    const names = (await readdir(this.#folder)).filter((name) => /^\d+\.result$/.test(name));
    names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    const results: KeptResult[] = [];
    // What a crash left half written was never promised to anyone.
    for (const name of await readdir(this.#folder)) {
      if (name.startsWith(".")) await unlink(join(this.#folder, name));
    }
    for (const name of names.slice(-this.resultsMax)) {
      const parsed = keptSchema.safeParse(unpack(await readFile(join(this.#folder, name))));
      if (parsed.success && name === `${parsed.data.seq}.result`) results.push(parsed.data);
      else await unlink(join(this.#folder, name));
    }
    for (const { seq } of results) this.#seqs.add(seq);
    return results;
  }

  /** Resolves when the result is on disk, or forgotten. Rejects where too many wait, or the disk refuses. */
  async keep(result: KeptResult): Promise<void> {
    if (this.#seqs.size >= this.resultsMax && !this.#seqs.has(result.seq)) {
      throw new Error(`More than ${this.resultsMax} results wait for their acknowledgement.`);
    }
    this.#seqs.add(result.seq);
    await this.#wish(result.seq, result);
  }

  async forget(seqs: readonly number[]): Promise<void> {
    await Promise.all(seqs.filter((seq) => this.#seqs.delete(seq)).map((seq) => this.#wish(seq, null)));
  }

  /** Resolves when everything asked for so far is on disk, or was refused by it. */
  async settled(): Promise<void> {
    await this.#turns;
  }

  /** The last wish for a number counts; all who asked are told of that. */
  #wish(seq: number, result: KeptResult | null): Promise<void> {
    let wish = this.#wanted.get(seq);
    if (wish) wish.result = result;
    else {
      wish = newWish(result);
      this.#wanted.set(seq, wish);
    }
    this.#turns ??= this.#takeTurns();
    return wish.granted;
  }

  async #takeTurns(): Promise<void> {
    while (this.#wanted.size > 0) {
      const turn = [...this.#wanted].slice(0, turnMax);
      for (const [seq] of turn) this.#wanted.delete(seq);
      const done = turn.map(([seq, { result }]) => (result ? this.#write(result) : this.#remove(seq)));
      const outcomes = await Promise.allSettled(done);
      const synced = await syncFolder(this.#folder).then(
        () => null,
        (error: unknown) => ({ error }),
      );
      for (const [index, [, wish]] of turn.entries()) {
        const outcome = outcomes[index] as PromiseSettledResult<void>;
        if (outcome.status === "rejected") wish.refuse(outcome.reason);
        else if (synced) wish.refuse(synced.error);
        else wish.grant();
      }
    }
    // In the same breath as the look at what is wanted: what is wished from now on starts the turns again.
    this.#turns = null;
  }

  #write(result: KeptResult): Promise<void> {
    return writeAside(this.#path(result.seq), packr.pack(result));
  }

  async #remove(seq: number): Promise<void> {
    await unlink(this.#path(seq)).catch((error: NodeJS.ErrnoException) => {
      // It was forgotten before it was ever written.
      if (error.code !== "ENOENT") throw error;
    });
  }

  #path(seq: number): string {
    return join(this.#folder, `${seq}.result`);
  }
}

function newWish(result: KeptResult | null): Wish {
  let grant = (): void => {};
  let refuse = (_error: unknown): void => {};
  const granted = new Promise<void>((resolve, reject) => {
    grant = resolve;
    refuse = reject;
  });
  return { result, granted, grant, refuse };
}

function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes);
  } catch {
    return null;
  }
}
