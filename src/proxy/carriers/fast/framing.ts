// Bytes of messages put together for the wire: heads with the beginning of their body, and chunks.
import type { Socket } from 'node:net';

const lineEnd = Buffer.from('\r\n');
const lastChunk = '0\r\n';

/** What is shorter is copied into one piece: that costs less than a piece more. */
const joinedBytesMax = 16_384;
const piecesMax = 64;

/** `head` and `body` as one text, one character a byte, when the body is small: for one write in place of two. */
export function joined(head: string, body: readonly Buffer[]): string | undefined {
  if (lengthOf(body) > joinedBytesMax || body.length > piecesMax) return undefined;
  let all = head;
  for (const piece of body) all += piece.toString('latin1');
  return all;
}

/** The contents as one chunk (RFC 9112 §7.1), however many they were. Without any there is none: it would end the body. */
export function chunk(contents: readonly Buffer[]): readonly Buffer[] {
  const length = lengthOf(contents);
  if (length === 0) return [];
  return [Buffer.from(`${length.toString(16)}\r\n`, 'latin1'), ...contents, lineEnd];
}

/** The end of a chunked body with the lines of its trailer fields. */
export function endOfChunks(trailer: string): string {
  return `${lastChunk}${trailer}\r\n`;
}

/** Writes all of it with one call to the system if that takes it. False: the socket wants no more until it has drained. */
export function writePieces(socket: Socket, pieces: readonly Buffer[]): boolean {
  const [first] = pieces;
  if (first === undefined) return true;
  if (pieces.length === 1) return socket.write(first);
  if (pieces.length > piecesMax || lengthOf(pieces) <= joinedBytesMax) {
    return socket.write(Buffer.concat(pieces));
  }
  let flows = true;
  socket.cork();
  for (const piece of pieces) flows = socket.write(piece);
  socket.uncork();
  return flows || socket.writableLength === 0;
}

function lengthOf(pieces: readonly Buffer[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}
