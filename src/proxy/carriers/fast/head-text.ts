// What the heads of requests and replies have in common on the fast lane: where one ends, and its fields.

const headEnd = Buffer.from('\r\n\r\n');

/** Where the head that begins at `from` ends, after its empty line; -1 when that has not come yet. */
export function endOfHead(bytes: Buffer, from: number): number {
  const at = bytes.indexOf(headEnd, from);
  return at === -1 ? -1 : at + headEnd.length;
}

/**
 * The fields of a head, each as `name: value CRLF`, into names and values in turn; values without the white space around
 * them. The text must have passed a pattern that allows nothing else.
 */
export function splitFields(fields: string): string[] {
  const raw: string[] = [];
  for (let from = 0; from < fields.length;) {
    const colon = fields.indexOf(':', from);
    const end = fields.indexOf('\r\n', colon);
    raw.push(fields.slice(from, colon), trimmed(fields, colon + 1, end));
    from = end + 2;
  }
  return raw;
}

function trimmed(text: string, from: number, to: number): string {
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isSpace(code: number): boolean {
  return code === 32 || code === 9;
}

/** RFC 9110 §8.6, up to what a number holds without doubt. */
export function readLength(value: string): number | undefined {
  return /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

/** Names and values in turn as they stand in a head. */
export function fieldLines(headers: readonly string[]): string {
  let text = '';
  for (let index = 0; index < headers.length; index += 2)
    text += `${headers[index] ?? ''}: ${headers[index + 1] ?? ''}\r\n`;
  return text;
}
