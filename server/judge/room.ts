/** What a judge thread does for one job: checks certificates, merges verified partials, makes the output. */

import { createHash } from "node:crypto";
import { grainTasks, type Host, type OutputFile, type Workload } from "../../kernels/contract.ts";
import { unpackPartials } from "../../protocol/partials.ts";
import { Crowd } from "./crowd.ts";
import type { JudgeAnswer, JudgeOpen, JudgeWork, KeptFile } from "./messages.ts";

/** Of the files of one job together. */
const fileBytesMax = 256 << 20;
const filesMax = 1_024;

interface Held {
  lo: number;
  partials: Uint8Array[];
}

interface Segment {
  lo: number;
  hi: number;
  merged: unknown;
}

export class JudgeRoom {
  readonly #held = new Map<number, Held>();
  /** Results with a fault that the core was told of. */
  readonly #malformed = new Set<number>();
  /** What each result stands for, merged: taking one back joins the others anew. */
  readonly #pieces = new Map<number, { node: string | null; segments: Segment[] }>();
  readonly #crowd = new Crowd();
  /** Results with a hit, in a search. */
  readonly #hits = new Set<number>();
  /** The pieces, joined where they touch: disjoint and sorted. */
  #segments: Segment[] = [];

  constructor(
    private readonly open: JudgeOpen,
    private readonly workload: Workload,
    private readonly host: Host,
  ) {}

  /** The answer to one piece of work, or null where none is due; a promise of it only of "finish". Throws when the workload's own code fails. */
  work(request: JudgeWork): JudgeAnswer | null | Promise<JudgeAnswer> {
    switch (request.type) {
      case "take":
        return this.#take(request);
      case "merge":
        return this.#merge(request);
      case "unmerge":
        return this.#unmerge(request);
      case "drop":
        this.#held.delete(request.result);
        this.#malformed.delete(request.result);
        return null;
      case "compare":
        return this.#compare(request);
      case "agree":
        return this.#agree(request);
      case "finish":
        return this.#finish(request);
    }
  }

  #take(request: Extract<JudgeWork, { type: "take" }>): JudgeAnswer | null {
    const partials = unpackPartials(request.partials);
    const faults = this.#faults(request.lo, partials, request.check);
    const reason = faults[0] ?? null;
    if (reason === null) this.#held.set(request.result, { lo: request.lo, partials });
    else this.#malformed.add(request.result);
    // Without a check only a malformed partial is worth a word.
    if (!request.check && reason === null) return null;
    return { type: "checked", job: request.job, result: request.result, reason, wrong: faults.length };
  }

  /** What is wrong with grains, as far as it takes to tell a fault from a lie: two at most. */
  #faults(lo: number, partials: readonly Uint8Array[], check: boolean): string[] {
    const faults: string[] = [];
    for (const [offset, bytes] of partials.entries()) {
      const fault = this.#fault(lo + offset, bytes, check);
      if (fault !== null && faults.push(fault) === 2) break;
    }
    return faults;
  }

  #fault(grain: number, bytes: Uint8Array, check: boolean): string | null {
    const { payload, round } = this.open;
    const [first, end] = grainTasks(this.open, grain);
    try {
      const partial = this.host.decode(payload, bytes);
      const fault = check ? (this.host.check?.(payload, round, first, end, partial) ?? null) : null;
      return fault === null ? null : `grain ${grain}: ${fault}`;
    } catch (error) {
      return `grain ${grain} is malformed: ${message(error)}`;
    }
  }

  #merge(request: Extract<JudgeWork, { type: "merge" }>): JudgeAnswer | null {
    const { payload } = this.open;
    const held = this.#held.get(request.result);
    // The core hears that it cannot be read, and takes it back.
    if (this.#malformed.delete(request.result)) return null;
    if (!held) throw new Error(`result ${request.result} was never taken`);
    const pieces: Segment[] = [];
    for (const [lo, hi] of request.ranges) {
      let merged = this.#decode(held, lo);
      for (let grain = lo + 1; grain < hi; grain++) merged = this.host.merge(merged, this.#decode(held, grain));
      if (this.host.enoughOn === "any" && this.host.enough?.(payload, merged)) this.#hits.add(request.result);
      const piece = { lo, hi, merged };
      pieces.push(piece);
      this.#insert(piece);
    }
    this.#pieces.set(request.result, { node: request.node, segments: pieces });
    this.#held.delete(request.result);
    this.#observe(request.node, pieces, 1);
    const answer = this.#merged(request.job, request.round);
    if (request.node === null || !this.#crowd.standsOut(request.node)) return answer;
    return { ...answer, outlier: request.node };
  }

  #observe(node: string | null, pieces: readonly Segment[], sign: 1 | -1): void {
    if (!this.host.counts) return;
    for (const { merged } of pieces) this.#crowd.add(node, this.host.counts(this.open.payload, merged), sign);
  }

  #unmerge(request: Extract<JudgeWork, { type: "unmerge" }>): JudgeAnswer {
    for (const result of request.results) {
      const taken = this.#pieces.get(result);
      if (taken) this.#observe(taken.node, taken.segments, -1);
      this.#pieces.delete(result);
      this.#malformed.delete(result);
      this.#hits.delete(result);
    }
    this.#segments = [];
    // In order, so that each joins the one before.
    const left = [...this.#pieces.values()].flatMap(({ segments }) => segments).sort((a, b) => a.lo - b.lo);
    for (const piece of left) this.#insert(piece);
    return this.#merged(request.job, request.round);
  }

  #merged(job: string, round: number): Extract<JudgeAnswer, { type: "merged" }> {
    const prefix = this.#segments[0];
    const enough =
      this.host.enoughOn === "any"
        ? this.#hits.size > 0
        : prefix?.lo === 0 && (this.host.enough?.(this.open.payload, prefix.merged) ?? false);
    return { type: "merged", job, round, enough, preview: this.#preview() };
  }

  #decode(held: Held, grain: number): unknown {
    return this.host.decode(this.open.payload, held.partials[grain - held.lo] as Uint8Array);
  }

  #insert(segment: Segment): void {
    const segments = this.#segments;
    let at = segments.length;
    while (at > 0 && (segments[at - 1] as Segment).lo > segment.lo) at--;
    segments.splice(at, 0, segment);
    const next = segments[at + 1];
    if (next && next.lo === segment.hi) {
      segments.splice(at, 2, { lo: segment.lo, hi: next.hi, merged: this.host.merge(segment.merged, next.merged) });
    }
    const previous = segments[at - 1];
    const current = segments[at] as Segment;
    if (previous && previous.hi === current.lo) {
      const merged = this.host.merge(previous.merged, current.merged);
      segments.splice(at - 1, 2, { lo: previous.lo, hi: current.hi, merged });
    }
  }

  #preview(): unknown {
    const merged = this.#known();
    return merged === undefined ? null : (this.host.preview?.(this.open.payload, merged) ?? null);
  }

  /** A search looks at all that is verified; everything else at the longest prefix. */
  #known(): unknown {
    if (this.host.enoughOn !== "any") return this.#segments[0]?.lo === 0 ? this.#segments[0].merged : undefined;
    let merged: unknown;
    for (const segment of this.#segments) {
      merged = merged === undefined ? segment.merged : this.host.merge(merged, segment.merged);
    }
    return merged;
  }

  #compare(request: Extract<JudgeWork, { type: "compare" }>): JudgeAnswer {
    const belief = this.workload.belief(this.open.payload, request.backends[0], request.backends[1]);
    let reason: string | null;
    try {
      reason = belief.disagreement(request.mine, request.theirs);
    } catch (error) {
      reason = `malformed partial: ${message(error)}`;
    }
    const told = reason === null ? null : `grain ${request.grain}: ${reason}`;
    const { job, result, grain } = request;
    return { type: "compared", job, result, grain, reason: told, proof: belief.kind === "exact" };
  }

  #agree(request: Extract<JudgeWork, { type: "agree" }>): JudgeAnswer {
    const { job, result, lo, node, backends } = request;
    const belief = this.workload.belief(this.open.payload, backends[0], backends[1]);
    const mine = unpackPartials(request.mine);
    let grain: number | null = null;
    let reason: string | null = null;
    let wrong = 0;
    for (const [offset, theirs] of unpackPartials(request.theirs).entries()) {
      let differs: string | null;
      try {
        const bytes = mine[offset] ?? new Uint8Array();
        differs = belief.disagreement(bytes, theirs);
        if (differs === null && request.oneClass && Buffer.compare(bytes, theirs) !== 0) {
          differs = "other bits from a GPU of the same determinism class";
        }
      } catch (error) {
        differs = `malformed partial: ${message(error)}`;
      }
      if (differs === null) continue;
      grain ??= lo + offset;
      reason ??= `grain ${grain}: ${differs}`;
      wrong++;
    }
    return { type: "agreed", job, result, lo, node, grain, reason, wrong, proof: belief.kind === "exact" };
  }

  #finish(request: Extract<JudgeWork, { type: "finish" }>): JudgeAnswer | Promise<JudgeAnswer> {
    const { payload } = this.open;
    const { job, round, attempt } = request;
    const merged = this.#known();
    if (merged === undefined) throw new Error("nothing is verified yet");
    const next = this.host.next?.(payload, round, merged, request.input ?? null) ?? null;
    if (next) return { type: "next", job, round, attempt, next };
    const output = this.host.finish(payload, merged, request.input ?? null);
    const finished = { type: "finished", job, round, attempt } as const;
    if (!this.host.files) return { ...finished, output: JSON.stringify(output), files: [] };
    return (async () => {
      const made = (await this.host.files?.(payload, merged)) ?? [];
      const files = made.map((file) => ("bytes" in file ? { file, keep: hashed(file.bytes) } : { file, keep: null }));
      const keep = files.flatMap((each) => each.keep ?? []);
      assertFitting(made.length, keep);
      const listed = files.map((each) => listedFile(job, each.file, each.keep));
      return { ...finished, output: JSON.stringify({ ...(output as object), files: listed }), files: keep };
    })();
  }
}

const hashed = (bytes: Uint8Array): KeptFile => ({ bytes, sha256: createHash("sha256").update(bytes).digest("hex") });

/** Throws RangeError for more than may be kept. */
function assertFitting(count: number, files: readonly KeptFile[]): void {
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
  if (bytes <= fileBytesMax && count <= filesMax) return;
  throw new RangeError(`${count} files of ${bytes} bytes; at most ${filesMax} of ${fileBytesMax}`);
}

/** How a result names a file. */
function listedFile(job: string, file: OutputFile, made: KeptFile | null) {
  const { name, mediaType } = file;
  const [sha256, bytes] = "kept" in file ? [file.kept.sha256, file.kept.bytes] : [made?.sha256, made?.bytes.length];
  return { name, media_type: mediaType, bytes, sha256, url: `/api/v1.2/workload/${job}/files/${name}` };
}

export const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
