/** "Why am I idle" and "why is this job waiting", as codes and sentences. */
import type { Backend } from "../../protocol/messages.ts";
import type { Reason } from "../../protocol/rest.ts";
import type { Effect } from "./events.ts";
import { isLeftToVolunteers, misfit } from "./placement.ts";
import type { CoreState, Job, Node } from "./state.ts";

const backends: readonly Backend[] = ["webgpu", "native", "wasm"];

const sentences: Record<string, string> = {
  backend: "it runs on none of the backends offered",
  family_off: "its family of workloads is switched off",
  consent_off: "what it needs to be allowed beside its family is switched off",
  untried: "its code is tried on an own node first",
  memory: "it needs more memory than there is",
  engine: "it needs an engine that is not installed",
  placement: "its submitter keeps it to own nodes, or to trusted ones",
  unpaid: "nobody pays for it, so instances leave it to volunteers",
  benched: "results of its kind were wrong on this machine, more than once",
  condemned: "its code failed on an own node, so volunteers get it no more",
  quarantined: "its kernel is wrong on this kind of browser and GPU",
  for_volunteers: "it is left to volunteers, and own nodes only check it",
};

/** Why a node with free slots has nothing to do; empty while it computes. */
export function idleReasons(state: CoreState, node: Node, now: number): Reason[] {
  if (node.leases.size > 0) return [];
  if (node.connection === null) return [{ code: "offline", message: "Not connected." }];
  if (state.draining) return [{ code: "draining", message: "The coordinator is stopping." }];
  if (node.retiring) return [{ code: "retiring", message: "The autoscaler gives this instance back." }];
  if (node.waitsUntilMs > now) {
    const seconds = Math.ceil((node.waitsUntilMs - now) / 1000);
    return node.waitReason === "result_rejected" || node.waitReason === null
      ? [
          {
            code: "result_rejected",
            message: `A result was wrong, so this node waits ${seconds} s before it gets more work.`,
          },
        ]
      : [
          {
            code: "failing",
            message: `Its last work failed here (${node.waitReason}), so this node waits ${seconds} s.`,
          },
        ];
  }
  if (backends.every((backend) => node.preferences.slots[backend] === 0)) {
    return [{ code: "no_slots", message: "No core and no GPU is offered." }];
  }
  const open = waitingJobs(state);
  if (open.length === 0) {
    return state.jobs.size === 0
      ? [{ code: "no_jobs", message: "There is no work right now." }]
      : [{ code: "all_leased", message: "All open work is with other nodes." }];
  }
  const counts = new Map<string, number>();
  for (const job of open) {
    const why = whyNot(state, node, job);
    if (why) counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  return [...counts].map(([code, count]) => ({
    code,
    message: `${count} ${count === 1 ? "job does" : "jobs do"} not fit: ${sentences[code] ?? code}.`,
  }));
}

function waitingJobs(state: CoreState): Job[] {
  const jobs: Job[] = [];
  for (const submitter of state.submitters.values()) {
    for (const queue of submitter.queues.values()) {
      for (const job of queue.jobs) {
        jobs.push(job);
        if (jobs.length >= 200) return jobs;
      }
    }
  }
  return jobs;
}

/** Why none of the job's slices goes to the node; null when they may. */
const whyNot = (state: CoreState, node: Node, job: Job): string | null =>
  misfitAll(state, node, job) ?? (isLeftToVolunteers(state, node, job.submitter) ? "for_volunteers" : null);

/** The reason that comes nearest to fitting, over the backends that the node offers. */
function misfitAll(state: CoreState, node: Node, job: Job): string | null {
  let nearest: string | null = "backend";
  for (const backend of backends) {
    if (node.preferences.slots[backend] === 0) continue;
    const why = misfit(state, node, backend, job);
    if (why === null) return null;
    if (nearest === "backend") nearest = why;
  }
  return nearest;
}

/** Why a job makes no progress; empty while it does. */
export function waitingReasons(state: CoreState, job: Job): Reason[] {
  if (job.reason) return [job.reason];
  if (job.phase === "admitting") return [{ code: "admitting", message: "The job is being made durable." }];
  if (job.phase === "ended" || job.phase === "finishing") return [];
  const reasons: Reason[] = [];
  let online = 0;
  let own = false;
  const counts = new Map<string, number>();
  for (const node of state.nodes.values()) {
    if (node.connection === null) continue;
    online++;
    own ||= node.own && misfitAll(state, node, job) === null;
    const why = whyNot(state, node, job);
    if (why) counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  if (job.leases.size === 0 && job.open.size > 0) {
    if (online === 0) reasons.push({ code: "no_nodes", message: "No node is connected." });
    else if (sum(counts) < online) {
      reasons.push({ code: "in_turn", message: "Other jobs go first; this one's turn comes." });
    }
    for (const [code, count] of counts) {
      reasons.push({ code, message: `${count} of ${online} nodes cannot take it: ${sentences[code] ?? code}.` });
    }
  }
  const failed = job.cooling.reduce((grains, wait) => grains + (job.failures.has(wait.lo) ? wait.hi - wait.lo : 0), 0);
  if (failed > 0) {
    reasons.push({ code: "retrying", message: `${failed} grains failed and wait to be tried again.` });
  } else if (job.cooling.length > 0) {
    reasons.push({
      code: "restarted",
      message: "The coordinator restarted; nodes are asked what they hold before the rest is given out again.",
    });
  }
  if (job.ownOnly.size > 0 && !own) {
    reasons.push({
      code: "own_only",
      message: `${job.ownOnly.size} grains failed on several volunteers and wait for an own node that can run this job.`,
    });
  }
  if (job.candidateGrains + job.provisionalGrains > 0 && !own) {
    reasons.push({
      code: "no_own_node",
      message:
        "Volunteers' results wait to be checked: no own node that can run this job is connected. Start one with the join token.",
    });
  }
  return reasons;
}

const sum = (counts: Map<string, number>): number => [...counts.values()].reduce((total, count) => total + count, 0);

/** Tells idle nodes why, when it changed. */
export function tellIdle(state: CoreState, now: number, out: Effect[]): void {
  for (const id of state.hungry) {
    const node = state.nodes.get(id);
    if (!node || node.connection === null) continue;
    const reasons = idleReasons(state, node, now);
    const key = reasons.map((reason) => reason.code).join();
    if (key === node.idleSent) continue;
    node.idleSent = key;
    node.idleReasons = reasons;
    state.changedNodes.add(id);
    out.push({ type: "send", connection: node.connection, message: { type: "idle", reasons } });
  }
}
