/**
 * Each tab that computes at the same time is a node of its own, with its own identity and its own
 * unacknowledged results. A tab takes the first free *lane*; a lane's lock ends with its tab, and the next
 * tab in that lane takes over its identity and what it had not delivered.
 */

/** Tabs of one browser that can compute at the same time. */
export const lanesMax = 16;

/** The lane's number, held until `release`. Rejects when all are taken. */
export async function takeLane(): Promise<{ lane: number; release: () => void }> {
  for (let lane = 0; lane < lanesMax; lane++) {
    const release = await tryLock(`queztl-lane-${lane}`);
    if (release) return { lane, release };
  }
  throw new Error(`${lanesMax} tabs of this browser compute already; close one of them first`);
}

function tryLock(name: string): Promise<(() => void) | null> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (lock === null) {
          resolve(null);
          return;
        }
        return new Promise<void>((release) => resolve(release));
      })
      .catch(reject);
  });
}
