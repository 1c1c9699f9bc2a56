// Why a signal ended a call: whether its time was over matters for what is done next.
import { messageOf, RegistryError } from '../../../core/errors.ts';

/** The call had its time and got no answer; a caller that merely lost interest is no timeout. */
export function isTimeout(signal: AbortSignal): boolean {
  const reason: unknown = signal.reason;
  if (reason instanceof RegistryError) return reason.code === 'registry_timeout';
  return reason instanceof Error && reason.name === 'TimeoutError';
}

export function abortReason(signal: AbortSignal): RegistryError {
  const reason: unknown = signal.reason;
  if (reason instanceof RegistryError) return reason;
  const code = isTimeout(signal) ? 'registry_timeout' : 'registry_unreachable';
  return new RegistryError(code, `etcd: ${messageOf(reason)}`, { cause: reason });
}

/** The promise's result, or a rejection as soon as the signal aborts. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw abortReason(signal);
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(abortReason(signal));
  });
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
