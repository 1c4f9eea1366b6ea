/** What happens when a caller's signal aborts. One listener for each signal, however many calls share it: Node warns of more than ten. */

const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `act` when the signal aborts, until the returned function is called. A signal that has aborted already does nothing. */
export function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  if (signal === undefined || signal.aborted) return () => {};
  const acts = waiting.get(signal) ?? listen(signal);
  // Wrapped, so that one function given twice is two.
  const own = (): void => act();
  acts.add(own);
  return () => acts.delete(own);
}

function listen(signal: AbortSignal): Set<() => void> {
  const acts = new Set<() => void>();
  waiting.set(signal, acts);
  signal.addEventListener(
    "abort",
    () => {
      waiting.delete(signal);
      for (const act of [...acts]) act();
    },
    { once: true },
  );
  return acts;
}
