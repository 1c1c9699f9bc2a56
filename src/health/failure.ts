// From what went wrong in a probe to its result.
import { messageOf, systemCodeOf } from '../core/errors.ts';
import type { ProbeResult } from './probe.ts';

export function failed(cause: string): Extract<ProbeResult, { readonly ok: false }> {
  return { ok: false, refused: false, cause };
}

/** The result of a probe that ended with `error`; when the signal ended it, the signal's reason is the cause. */
export function failedBy(
  error: unknown,
  signal: AbortSignal,
): Exclude<ProbeResult, { readonly ok: true }> {
  if (signal.aborted) return failed(messageOf(signal.reason));
  if (isOwnWant(error)) return { ok: undefined, cause: causeOf(error) };
  return { ok: false, refused: isRefused(error), cause: causeOf(error) };
}

/** The agent, or the whole machine, has no file descriptor left (errno(3)). */
function isOwnWant(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isOwnWant);
  return ['EMFILE', 'ENFILE'].includes(systemCodeOf(error) ?? '');
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
