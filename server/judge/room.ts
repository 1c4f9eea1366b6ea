/** What a judge thread does for one job: checks certificates, merges verified partials, makes the output. */
import { grainTasks, type Host, type Workload } from "../../kernels/contract.ts";
import { unpackPartials } from "../../protocol/partials.ts";
import type { JudgeAnswer, JudgeOpen, JudgeWork } from "./messages.ts";

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
  /** Verified runs, merged: disjoint, sorted, and joined where they touch. */
  #segments: Segment[] = [];

  constructor(
    private readonly open: JudgeOpen,
    private readonly workload: Workload,
    private readonly host: Host,
  ) {}

  /** The answer to one piece of work, or null where none is due. Throws when the workload's own code fails. */
  work(request: JudgeWork): JudgeAnswer | null {
    switch (request.type) {
      case "take":
        return this.#take(request);
      case "merge":
        return this.#merge(request);
      case "drop":
        this.#held.delete(request.result);
        return null;
      case "compare":
        return this.#compare(request);
      case "finish":
        return this.#finish(request);
    }
  }

  #take(request: Extract<JudgeWork, { type: "take" }>): JudgeAnswer | null {
    const partials = unpackPartials(request.partials);
    this.#held.set(request.result, { lo: request.lo, partials });
    const reason = this.#firstFault(request.lo, partials, request.check);
    // Without a check only a malformed partial is worth a word.
    if (!request.check && reason === null) return null;
    return { type: "checked", job: request.job, result: request.result, reason };
  }

  #firstFault(lo: number, partials: readonly Uint8Array[], check: boolean): string | null {
    const { payload, round } = this.open;
    for (const [offset, bytes] of partials.entries()) {
      const [first, end] = grainTasks(this.open, lo + offset);
      try {
        const partial = this.host.decode(payload, bytes);
        const fault = check ? (this.host.check?.(payload, round, first, end, partial) ?? null) : null;
        if (fault !== null) return `grain ${lo + offset}: ${fault}`;
      } catch (error) {
        return `grain ${lo + offset} is malformed: ${message(error)}`;
      }
    }
    return null;
  }

  #merge(request: Extract<JudgeWork, { type: "merge" }>): JudgeAnswer {
    const { payload } = this.open;
    const held = this.#held.get(request.result);
    if (!held) throw new Error(`result ${request.result} was never taken`);
    let enough = false;
    for (const [lo, hi] of request.ranges) {
      let merged = this.#decode(held, lo);
      for (let grain = lo + 1; grain < hi; grain++) merged = this.host.merge(merged, this.#decode(held, grain));
      if (this.host.enoughOn === "any") enough ||= this.host.enough?.(payload, merged) ?? false;
      this.#insert({ lo, hi, merged });
    }
    this.#held.delete(request.result);
    const prefix = this.#segments[0];
    if (this.host.enoughOn !== "any" && prefix?.lo === 0) enough = this.host.enough?.(payload, prefix.merged) ?? false;
    return { type: "merged", job: request.job, round: request.round, enough, preview: this.#preview() };
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
    return { type: "compared", job: request.job, result: request.result, reason: told, proof: belief.kind === "exact" };
  }

  #finish(request: Extract<JudgeWork, { type: "finish" }>): JudgeAnswer {
    const { payload } = this.open;
    const merged = this.#known();
    if (merged === undefined) throw new Error("nothing is verified yet");
    const next = this.host.next?.(payload, request.round, merged) ?? null;
    if (next) return { type: "next", job: request.job, round: request.round, next };
    const output = JSON.stringify(this.host.finish(payload, merged));
    return { type: "finished", job: request.job, round: request.round, output };
  }
}

export const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
