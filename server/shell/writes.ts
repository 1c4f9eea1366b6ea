import type { CoreWrite } from "../core/events.ts";
import type { CoreState, Job } from "../core/state.ts";
import type { Write } from "../store/store.ts";

/** A write in the core's words, in the store's. */
export function toWrite(
  write: Exclude<CoreWrite, { type: "work.done" }>,
  state: CoreState,
  coordinator: string,
): Write {
  switch (write.type) {
    case "job.insert":
      return insertJob(state.jobs.get(write.job) as Job, write.record);
    case "job.ended":
      return {
        type: "job.update",
        id: write.job,
        patch: {
          state: write.state,
          startedAtMs: write.startedAtMs,
          finishedAtMs: write.atMs,
          reason: write.reason,
          output: write.output,
          outputBlob: write.outputBlob,
          stats: JSON.stringify(write.stats),
          round: write.round,
          revision: write.revision,
        },
      };
    case "round.insert": {
      const { job, round, tasks, grainTasks, input } = write;
      return { type: "round.insert", round: { job, round, tasks, grainTasks, input } };
    }
    case "extent.claim": {
      const { job, round, lo, hi } = write;
      return { type: "extent.claim", extent: { job, round, lo, hi, owner: coordinator, epoch: state.epoch } };
    }
    case "result.insert":
      return insertResult(write, state.epoch);
    case "result.verdict":
      return write;
    case "audit.done": {
      const { type: _, reason, ...audit } = write;
      return { type: "audit.insert", audit: { ...audit, reason: reason.slice(0, 300), atMs: Date.now() } };
    }
    case "results.confirm":
      return { type: "results.confirm", ids: write.ids, verdict: write.verdict };
    case "job.reopen": {
      const { job: id, round, revision } = write;
      return { type: "job.reopen", id, round, revision, owner: coordinator, epoch: state.epoch };
    }
    case "node.trust": {
      const { node: id, taintedAtMs } = write.trust;
      return { type: "node.trust", id, trust: JSON.stringify(write.trust), taintedAtMs };
    }
  }
}

function insertJob(job: Job, record: Extract<CoreWrite, { type: "job.insert" }>["record"]): Write {
  return {
    type: "job.insert",
    job: {
      id: job.id,
      submitter: job.submitter,
      workload: job.workload.type,
      payload: record.payloadJson,
      payloadBlob: job.payloadBlob,
      priority: job.priority,
      kernel: job.kernel,
      files: job.files,
      idempotencyKey: record.idempotencyKey,
      bodyHash: record.bodyHash,
      createdAtMs: job.createdAtMs,
      startedAtMs: null,
      finishedAtMs: null,
      state: "queued",
      round: job.round,
      revision: job.revision,
      reason: null,
      output: null,
      outputBlob: null,
      stats: null,
      verification: JSON.stringify(job.verification),
      sealedAtMs: null,
    },
  };
}

function insertResult(write: Extract<CoreWrite, { type: "result.insert" }>, epoch: number): Write {
  const { id, message, node, own, standing, verdict } = write;
  return {
    type: "result.insert",
    epoch,
    partials: message.partials,
    result: {
      id,
      job: message.job,
      round: message.round,
      lo: message.lo,
      hi: message.hi,
      node,
      own,
      backend: message.backend,
      lease: message.lease,
      kernel: message.kernel,
      build: message.build,
      computeMs: message.computeMs,
      atMs: Date.now(),
      standing,
      verdict,
      root: message.root,
      signature: message.signature,
    },
  };
}
