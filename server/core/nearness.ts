/** Which nodes have a job's data already: they are given that job rather than one whose data they would fetch first. */
import type { Job, Node } from "./state.ts";

/** Blobs remembered of a node. */
const fetchedMax = 64;

const blobsOf = ({ payloadBlob, input }: Job): string[] => [payloadBlob, input].filter((blob) => blob !== null);

/** The node was told of the job, and fetches what it is made of. */
export function noteFetched(node: Node, job: Job): void {
  for (const blob of blobsOf(job)) {
    node.fetched.delete(blob);
    node.fetched.add(blob);
  }
  for (const oldest of node.fetched) {
    if (node.fetched.size <= fetchedMax) break;
    node.fetched.delete(oldest);
  }
}

/** Nothing of the job's data is left to fetch. */
export const isNear = (node: Node, job: Job): boolean => blobsOf(job).every((blob) => node.fetched.has(blob));
