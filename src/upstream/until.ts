// Waiting for a change of an upstream.
import type { Upstream } from './upstream.ts';

/** Resolves as soon as the condition holds; rejects with the signal's reason when it aborts before. */
export function untilUpstream(
  upstream: Upstream,
  condition: (upstream: Upstream) => boolean,
  signal: AbortSignal,
): Promise<void> {
  if (condition(upstream)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      stopListening();
      signal.removeEventListener('abort', onAbort);
    };
    const onAbort = (): void => {
      stop();
      reject(signal.reason as Error);
    };
    const stopListening = upstream.onChange(() => {
      if (!condition(upstream)) return;
      stop();
      resolve();
    });
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}
