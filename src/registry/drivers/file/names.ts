// File names of instances: safe on every file system, whatever the id is.
import { createHash } from 'node:crypto';

const suffix = '.json';

/** File systems allow 255 bytes. */
const lengthMax = 200;

/**
 * The name of the record of `id`. Different ids have different names, also where the file system ignores case: all but
 * lower-case letters, digits, `-`, `_` and inner dots is written as `%` and the two hex digits of each UTF-8 byte, and the
 * tail of a very long name is replaced by its hash.
 */
export function fileNameOf(id: string): string {
  const encoded = Buffer.from(id, 'utf8')
    .toString('latin1')
    .replace(/[^a-z0-9._-]|^\./g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
  if (encoded.length + suffix.length <= lengthMax) return encoded + suffix;
  const hash = createHash('sha256').update(id).digest('hex');
  return `${encoded.slice(0, lengthMax - suffix.length - hash.length - 1)}~${hash}${suffix}`;
}

/** Whether a file in a service's folder is meant to be a record. */
export function isRecordName(name: string): boolean {
  return name.endsWith(suffix) && !name.startsWith('.');
}
