// etcd's keys for instances: `<prefix>/<service>/<id>`, where an id is percent-encoded.
import type { KeyRange } from './messages.ts';

/** The byte after the slash: the end of all keys below one. */
const afterSlash = '0';

export function keyOf(prefix: string, service: string, id: string): string {
  return `${prefix}/${service}/${encodeId(id)}`;
}

/** Every instance of a service. */
export function serviceRange(prefix: string, service: string): KeyRange {
  return rangeBelow(`${prefix}/${service}`);
}

/** Every instance of every service, or of those that come after one of them. */
export function allRange(prefix: string, afterKey?: string): KeyRange {
  const range = rangeBelow(prefix);
  return afterKey === undefined ? range : { ...range, from: `${afterKey}\0` };
}

/** The service that a key belongs to. */
export function serviceOfKey(prefix: string, key: string): string {
  return key.slice(prefix.length + 1).split('/', 1)[0] ?? '';
}

/** The id in a key of the range. A foreign key whose end we would have written in another way is taken as it is. */
export function idOfKey(range: KeyRange, key: string): string {
  const text = key.slice(range.from.length);
  try {
    const id = decodeURIComponent(text);
    return encodeId(id) === text ? id : text;
  } catch {
    return text;
  }
}

function rangeBelow(path: string): KeyRange {
  return { from: `${path}/`, to: `${path}${afterSlash}` };
}

/** Keeps letters, digits and `-._~`, so that a key is one printable word. */
function encodeId(id: string): string {
  return [...Buffer.from(id)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      if (/[A-Za-z0-9._~-]/.test(character)) return character;
      return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}
