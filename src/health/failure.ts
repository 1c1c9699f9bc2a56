// From what went wrong in a probe to its result.
import { messageOf, systemCodeOf } from '../core/errors.ts';
import type { ProbeResult } from './probe.ts';

export function failed(cause: string): ProbeResult {
  return { ok: false, refused: false, cause };
}

/** The result of a probe that ended with `error`; when the signal ended it, the signal's reason is the cause. */
export function failedBy(error: unknown, signal: AbortSignal): ProbeResult {
  if (signal.aborted) return failed(messageOf(signal.reason));
  return { ok: false, refused: isRefused(error), cause: causeOf(error) };
}

/** A host name with several addresses refuses only when each of them does. */
function isRefused(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isRefused);
  return systemCodeOf(error) === 'ECONNREFUSED';
}

/** The failure to connect to each of several addresses has no message of its own. */
function causeOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return messageOf(error);
}
