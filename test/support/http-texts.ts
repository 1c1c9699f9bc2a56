// Texts of HTTP messages for properties: sound ones, and what becomes of them in bad hands.
import * as fc from 'fast-check';

/** Bytes that break parsers, and those that look like parts of messages. */
const splices = fc.constantFrom(
  ...[
    '\r',
    '\n',
    '\r\n',
    '\0',
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '\u00ff',
    '\u007f',
    '#',
    '/',
    '%',
    '0',
    '1',
  ],
  ...['a', 'Z', '\r\n ', '\r\nHost: b', 'Content-Length: 1\r\n', 'Transfer-Encoding: chunked\r\n'],
  ...['HTTP/1.1', 'HTTP/1.0', 'chunked', 'Connection: close\r\n', 'X', '"', '\\', '{', '('],
);

/** A text with up to three places replaced, cut out or added to. */
export function mutated(texts: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  const mutation = fc.record({ at: fc.nat(400), cut: fc.nat(3), put: splices });
  return fc.tuple(texts, fc.array(mutation, { maxLength: 3 })).map(([text, mutations]) => {
    const end = mutations.reduce((changed, { at, cut, put }) => {
      const from = at % (changed.length + 1);
      return `${changed.slice(0, from)}${put}${changed.slice(from + cut)}`;
    }, text);
    return Buffer.from(end, 'latin1');
  });
}

/** Heads of requests that are canonical, or nearly so. */
export const requests = mutated(
  fc.constantFrom(
    'GET / HTTP/1.1\r\nHost: payments\r\n\r\n',
    'GET /a/b?c=d HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n',
    'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\n',
    'PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
    'GET http://a.b:80/x?y HTTP/1.1\r\nHost: a.b:80\r\nProxy-Connection: Keep-Alive\r\n\r\n',
    'GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\nUpgrade: h2c\r\n\r\n',
    'DELETE /x HTTP/1.1\r\nHost: a\r\nCookie: a=b; c="d"\r\nConnection: close\r\n\r\n',
  ),
);

/** Heads of replies. */
export const replies = mutated(
  fc.constantFrom(
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: x\r\n\r\n',
    'HTTP/1.1 204 No Content\r\nServer: a/1 (b)\r\n\r\n',
    'HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 500 \r\nKeep-Alive: timeout=5\r\n\r\n',
  ),
);
