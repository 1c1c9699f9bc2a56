// The fields of heads as texts, one character a byte: whole lines to be passed on, or names and values one by one.

/** The lines of one head that are not passed on. The others are copied in long pieces and never looked into. */
export class LineCuts {
  /** From and to of each line, in the order of the head. */
  readonly #places = new Int32Array(2 * 16);
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  /** False when there are too many of them. */
  add(from: number, to: number): boolean {
    if (this.#count === this.#places.length) return false;
    this.#places[this.#count++] = from;
    this.#places[this.#count++] = to;
    return true;
  }

  /** The other lines of the head whose fields begin at `from` and which ends at `end` of the text. */
  apply(text: string, from: number, end: number): string {
    let kept = '';
    let at = from;
    for (let index = 0; index < this.#count; index += 2) {
      kept += text.slice(at, this.#places[index] ?? at);
      at = this.#places[index + 1] ?? at;
    }
    return kept + text.slice(at, end - 2);
  }
}

/**
 * The fields of a head, each as `name: value CRLF`, into names and values in turn; values without the white space around
 * them. The text must be known to be nothing else.
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

/** Names and values in turn as they stand in a head. */
export function fieldLines(headers: readonly string[]): string {
  let text = '';
  for (let index = 0; index < headers.length; index += 2)
    text += `${headers[index] ?? ''}: ${headers[index + 1] ?? ''}\r\n`;
  return text;
}
