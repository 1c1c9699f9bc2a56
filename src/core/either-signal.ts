// Waiting for either of two signals, without leaving anything on the one that lives longer.

/**
 * Runs an operation with a signal that aborts as soon as one of the two does. `AbortSignal.any` would do the same, but on
 * Node 20 each of its results is kept for as long as the longest-lived of its sources.
 */
export async function withEither<T>(
  first: AbortSignal,
  second: AbortSignal,
  operate: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const either = new AbortController();
  const sources = [first, second];
  const onAbort = (): void => {
    either.abort(sources.find(({ aborted }) => aborted)?.reason);
  };
  for (const source of sources) source.addEventListener('abort', onAbort);
  if (sources.some(({ aborted }) => aborted)) onAbort();
  try {
    return await operate(either.signal);
  } finally {
    for (const source of sources) source.removeEventListener('abort', onAbort);
  }
}
