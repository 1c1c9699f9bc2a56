// The HTTP probe: the app is well when a GET answers 2xx with what is expected of it.
import * as http from 'node:http';
import { ConfigError, messageOf } from '../../core/errors.ts';
import { failed, failedBy } from '../failure.ts';
import type { Probe, ProbeResult } from '../probe.ts';

export interface HttpProbeOptions {
  /** Absolute, `http:` or `https:`. */
  readonly url: string;
  /** Sent with the request; `Host` and `User-Agent` replace the probe's own. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Text that the first 4 KB of the body must contain. */
  readonly expectBody?: string;
  /** Headers that the reply must have with exactly these values. */
  readonly expectHeaders?: Readonly<Record<string, string>>;
}

/** No more of a body is read; the connection is destroyed instead. */
const bodyBytesMax = 4096;

/**
 * A redirect is a failure and is never followed: an app must not be able to send the agent to another address. Each request
 * has a connection of its own, so that an app that accepts no new ones is found out. The body must arrive, to its end or to its
 * first 4 KB. Throws a ConfigError for a URL or a header that cannot be sent.
 */
export function httpProbe(options: HttpProbeOptions): Probe {
  const url = parseUrl(options.url);
  const headers = { 'User-Agent': 'outrigger-health-check', ...options.headers };
  checkHeaders(headers);
  return {
    // Without user, password and query, which may be secret.
    name: `http ${url.origin}${url.pathname}`,
    run: async (signal) => {
      try {
        const reply = await get(url, headers, signal);
        return await judge(reply, options);
      } catch (error) {
        return failedBy(error, signal);
      }
    },
  };
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new ConfigError(`health check: "${text}" is no http or https URL`);
  }
  return url;
}

function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    try {
      http.validateHeaderName(name);
      http.validateHeaderValue(name, value);
    } catch (error) {
      throw new ConfigError(`health check: ${messageOf(error)}`, { cause: error });
    }
  }
}

async function get(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const request = url.protocol === 'https:' ? (await import('node:https')).request : http.request;
  return new Promise((resolve, reject) => {
    const pending = request(url, { agent: false, headers, signal });
    pending.on('response', resolve);
    pending.on('error', reject);
    // A switch of protocols ends the request with neither a response nor an error.
    pending.on('close', () => {
      reject(new Error('the connection was closed without a reply'));
    });
    pending.end();
  });
}

async function judge(
  reply: http.IncomingMessage,
  { expectBody, expectHeaders = {} }: HttpProbeOptions,
): Promise<ProbeResult> {
  try {
    const status = reply.statusCode ?? 0;
    if (status < 200 || status > 299) return failed(`status ${status}`);
    for (const [name, expected] of Object.entries(expectHeaders)) {
      const actual = [reply.headers[name.toLowerCase()]].flat().join(', ');
      if (actual !== expected) return failed(`header ${name} is "${actual}", not "${expected}"`);
    }
    const body = await readBegin(reply);
    if (expectBody !== undefined && !body.includes(expectBody)) {
      return failed(`"${expectBody}" is not in the first ${bodyBytesMax} bytes of the body`);
    }
    return { ok: true };
  } finally {
    reply.destroy();
  }
}

async function readBegin(reply: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= bodyBytesMax) break;
  }
  return Buffer.concat(chunks).subarray(0, bodyBytesMax).toString('utf8');
}
