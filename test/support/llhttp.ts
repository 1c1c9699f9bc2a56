// Node's own HTTP parser as an oracle: what it makes of some bytes, without sockets.
import { createRequire } from 'node:module';

/** The part of Node's internal parser that is used here; it is stable from Node 20 to 26. */
interface Parser {
  initialize(type: number, resource: object): void;
  execute(bytes: Buffer): number | Error;
  finish(): Error | undefined;
  [event: number]: unknown;
}

interface ParserClass {
  new (): Parser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeadersComplete: number;
  readonly kOnHeaders: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

const { HTTPParser, methods } = createRequire(import.meta.url)('_http_common') as {
  readonly HTTPParser: ParserClass;
  readonly methods: readonly string[];
};

/** The first message in the bytes. */
export interface ParsedMessage {
  readonly method: string | undefined;
  readonly target: string | undefined;
  readonly status: number | undefined;
  readonly version: string;
  readonly rawHeaders: readonly string[];
  readonly upgrade: boolean;
  /** Another message may follow on the connection. */
  readonly keepAlive: boolean;
  readonly body: string;
  readonly complete: boolean;
}

/** Undefined when the parser refuses the bytes, or has not seen a whole head. */
export function parseWithLlhttp(
  type: 'request' | 'response',
  bytes: Buffer,
): ParsedMessage | undefined {
  const parser = new HTTPParser();
  parser.initialize(type === 'request' ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {});
  let message: { -readonly [K in keyof ParsedMessage]: ParsedMessage[K] } | undefined;
  const early: string[] = [];
  // Many headers come in several parts.
  parser[HTTPParser.kOnHeaders] = (headers: readonly string[]): void => {
    early.push(...headers);
  };
  parser[HTTPParser.kOnHeadersComplete] = (...given: readonly unknown[]): number => {
    const [major, minor, headers, method, target, status, , upgrade, keepAlive] = given;
    message ??= {
      method: typeof method === 'number' ? methods[method] : undefined,
      target: typeof target === 'string' ? target : undefined,
      status: typeof status === 'number' ? status : undefined,
      version: `${String(major)}.${String(minor)}`,
      rawHeaders: [...early, ...((headers as readonly string[] | undefined) ?? [])],
      upgrade: upgrade === true,
      keepAlive: keepAlive === true,
      body: '',
      complete: false,
    };
    return 0;
  };
  parser[HTTPParser.kOnBody] = (chunk: Buffer): void => {
    if (message?.complete === false) message.body += Buffer.from(chunk).toString('latin1');
  };
  parser[HTTPParser.kOnMessageComplete] = (): void => {
    if (message !== undefined) message.complete = true;
  };
  const outcome = parser.execute(bytes);
  return outcome instanceof Error ? undefined : message;
}
