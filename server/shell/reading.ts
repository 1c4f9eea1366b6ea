/** Who may read which blob at `/b/`: a node with a lease, whoever owns the job, and everybody what its owner made public. */
import { type Caller, reads } from "../access/caller.ts";
import type { CoreState } from "../core/state.ts";

/** Which of the two stores holds it: what nodes are handed, or what is of its owner alone. */
export type Shelf = "blobs" | "files";

export interface ReadingPorts {
  state(): CoreState;
  /** Whose session a token proves; null where it proves none. */
  session(token: string): { node: string; session: string } | null;
  isPublic(sha256: string): boolean;
}

/** Null where the asker is to be told that there is nothing. `token`: a session's, as its welcome told it. */
export function shelfOf(ports: ReadingPorts, sha256: string, token: string | null, caller: Caller): Shelf | null {
  if (ports.isPublic(sha256)) return "files";
  const state = ports.state();
  const session = token === null ? null : ports.session(token);
  if (session && isHanded(state, session, sha256)) return "blobs";
  if (caller.scopes.includes("admin")) return "blobs";
  if (caller.id === null) return null;
  for (const job of state.jobs.values()) {
    if ((job.payloadBlob === sha256 || job.input === sha256) && reads(caller, job.submitter)) return "blobs";
  }
  return null;
}

/** The session was told of a job that is made of this blob, and the job is open. */
function isHanded(state: CoreState, { node: id, session }: { node: string; session: string }, sha256: string): boolean {
  const node = state.nodes.get(id);
  if (node?.session !== session) return false;
  for (const name of node.jobsSent) {
    const job = state.jobs.get(name);
    if (job?.payloadBlob === sha256 || job?.input === sha256) return true;
  }
  return false;
}
