// Bytes of messages put together for the wire: heads with the beginning of their body, and chunks.

const lineEnd = Buffer.from('\r\n');
const lastChunk = '0\r\n';

/** A body beyond this is not copied behind its head but written after it. */
const joinedBytesMax = 16_384;

/** `head` and `body` as one text, one character a byte, when the body is small: for one write in place of two. */
export function joined(head: string, body: readonly Buffer[]): string | undefined {
  let bytes = 0;
  for (const piece of body) bytes += piece.length;
  if (bytes > joinedBytesMax) return undefined;
  let all = head;
  for (const piece of body) all += piece.toString('latin1');
  return all;
}

/** The contents as chunks (RFC 9112 §7.1), one for each piece. Empty pieces are none: they would end the body. */
export function chunks(contents: readonly Buffer[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (const content of contents) {
    if (content.length === 0) continue;
    pieces.push(Buffer.from(`${content.length.toString(16)}\r\n`, 'latin1'), content, lineEnd);
  }
  return pieces;
}

/** The end of a chunked body with the lines of its trailer fields. */
export function endOfChunks(trailer: string): string {
  return `${lastChunk}${trailer}\r\n`;
}
