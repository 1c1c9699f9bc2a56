// The registry's errors for what Redis and its connections answer.
import {
  messageOf,
  RegistryError,
  systemCodeOf,
  type RegistryErrorCode,
} from '../../../core/errors.ts';

/**
 * Reply codes by meaning. Inside scripts, servers before 7 put the code in the middle of the text. Commands that are long
 * are refused before their name is read when they come from nobody known ("unauthenticated multibulk length").
 */
const replyCodes: readonly (readonly [RegExp, RegistryErrorCode])[] = [
  [/\b(?:NOAUTH|WRONGPASS|NOPERM|unauthenticated)\b|invalid password/, 'registry_auth'],
  [
    /\b(?:READONLY|LOADING|NOREPLICAS|OOM|MISCONF|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK)\b|max number of clients/,
    'registry_unavailable',
  ],
];

/** A RegistryError for anything that connecting or a command threw. */
export function toRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  return new RegistryError(codeOf(error), `redis: ${messageOf(error)}`, { cause: error });
}

/** Whether the server knows no script of that hash: it was restarted or its scripts were flushed. */
export function isScriptUnknown(error: unknown): boolean {
  return isReply(error) && error.message.startsWith('NOSCRIPT');
}

/** Whether a key holds something else than its commands are for: whatever wrote it, only that key is of no use. */
export function isWrongType(error: unknown): boolean {
  return error instanceof RegistryError && /\bWRONGTYPE\b/.test(error.message);
}

/**
 * Whether the connection is of no more use. A replica that was a master stays connected (READONLY), and new credentials
 * are only sent with a new connection. A deadline that passed may be a peer that vanished without a word, which no error
 * will ever tell.
 */
export function endsConnection(error: RegistryError): boolean {
  if (error.code === 'registry_timeout' || error.code === 'registry_unreachable') return true;
  return error.code === 'registry_auth' || /\bREADONLY\b/.test(error.message);
}

function codeOf(error: unknown): RegistryErrorCode {
  if (isReply(error)) {
    return replyCodes.find(([pattern]) => pattern.test(error.message))?.[1] ?? 'registry_invalid';
  }
  return systemCodeOf(error) === 'ETIMEDOUT' ? 'registry_timeout' : 'registry_unreachable';
}

/** An error that the server answered, as opposed to one of the connection. */
function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}
