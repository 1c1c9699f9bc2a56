// The program's failures: a few classes, each with a stable code.

/** Every failure that the program foresees. `code` is the contract; the message is for people. */
export abstract class OutriggerError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** What a person typed or wrote cannot be used: exit code 2. The message is one line: what, where, nearest valid. */
export class ConfigError extends OutriggerError {
  readonly code = 'config_invalid';
}

/** The program could not do its work: exit code 1. */
export class RuntimeError extends OutriggerError {
  readonly code = 'runtime_failed';
}

/**
 * - `registry_unreachable`: no answer could be had (refused, reset, closed).
 * - `registry_timeout`: the operation's deadline passed.
 * - `registry_auth`: credentials or permissions refused; only a person can mend it.
 * - `registry_unavailable`: the registry answers that it cannot serve now (loading, read-only, out of memory).
 * - `registry_compacted`: the place to follow from is gone; read again.
 * - `registry_invalid`: an answer that makes no sense.
 */
export type RegistryErrorCode =
  | 'registry_unreachable'
  | 'registry_timeout'
  | 'registry_auth'
  | 'registry_unavailable'
  | 'registry_compacted'
  | 'registry_invalid';

/** An operation on the registry failed. It says nothing about which instances exist. */
export class RegistryError extends OutriggerError {
  readonly code: RegistryErrorCode;

  constructor(code: RegistryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's error code (`ECONNREFUSED`, `ENOENT`, …) of anything thrown, if it has one. */
export function systemCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
