// Work that is given up when it takes too long.
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';

/** `work` gets a signal that aborts with `signal`, or after `timeoutMs` with `registry_timeout`; it must end then. */
export async function inTime<T>(
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
  work: (ending: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const end = (): void => ending.abort(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  const timer = clock.after(timeoutMs, () => {
    ending.abort(new RegistryError('registry_timeout', `no answer within ${timeoutMs} ms`));
  });
  try {
    return await work(ending.signal);
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', end);
  }
}
