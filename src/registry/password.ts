// The password of a registry URL: in the URL, or in a file that it names.
import { readFileSync } from 'node:fs';
import { ConfigError } from '../core/errors.ts';
import { readConfigFile } from './tls-files.ts';

/** A password file is read again for each connection, so that a new password needs no restart. */
export type PasswordSource =
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly path: string };

/** The password as it is now. Throws what reading its file throws. */
export function passwordOf(source: PasswordSource): string | undefined {
  if (source.kind === 'none') return undefined;
  return source.kind === 'text' ? source.text : readFileSync(source.path, 'utf8').trim();
}

/**
 * From the URL's user information or from the file that a parameter names. Throws a ConfigError for both at once, for a file
 * that cannot be read and for a user without a password.
 */
export function readPassword(url: URL, file: string | undefined, where: string): PasswordSource {
  if (url.password !== '' && file !== undefined) {
    throw new ConfigError(`${where}: give a password or password-file, not both`);
  }
  if (file !== undefined) {
    readConfigFile(file, 'password-file', where);
    return { kind: 'file', path: file };
  }
  if (url.password !== '') return { kind: 'text', text: decodeUserInfo(url.password, where) };
  if (url.username !== '') throw new ConfigError(`${where}: the user has no password`);
  return { kind: 'none' };
}

/** Percent-decoding of a URL's user or password. */
export function decodeUserInfo(text: string, where: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError(`${where}: user and password must be percent-encoded`);
  }
}
