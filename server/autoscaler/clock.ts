/** Time as a port, so that the shell and the fake cloud run in virtual time as well. Milliseconds. */
export interface Clock {
  now(): number;
  /** Runs once, after so long; the answer calls it off. */
  after(ms: number, run: () => void): () => void;
}
