// The registry in a URL: `static:payments=10.0.0.1:80,10.0.0.2:80;orders=…`, for tests and for what never moves.
import { formatAddress, parseAddress } from '../../../core/address.ts';
import { ConfigError } from '../../../core/errors.ts';
import { isHost, type Instance } from '../../../core/instance.ts';
import { parseServiceName } from '../../../core/service-name.ts';
import type { Capabilities, Driver, Reading } from '../../driver.ts';

type Lists = ReadonlyMap<string, readonly Instance[]>;

/** Throws a ConfigError for a list that cannot be read. */
export function openStatic(url: string): Driver {
  return new StaticDriver(url, parseLists(url));
}

/** Nothing is ever registered or changed: health is told by calls and ejection alone. */
class StaticDriver implements Driver {
  readonly url: string;
  readonly capabilities: Capabilities = {
    ttlMs: 10_000,
    heartbeatMs: 3000,
    propagationMs: 0,
    advertise: 'loopback',
    registers: false,
  };
  readonly #lists: Lists;

  constructor(url: string, lists: Lists) {
    this.url = url;
    this.#lists = lists;
  }

  acquire(): Promise<void> {
    return Promise.resolve();
  }

  renew(): Promise<'ok' | 'gone'> {
    return Promise.resolve('ok');
  }

  release(): Promise<void> {
    return Promise.resolve();
  }

  read(service: string): Promise<Reading> {
    const instances = this.#lists.get(service) ?? [];
    return Promise.resolve({ instances, version: '1', malformed: 0 });
  }

  follow(_service: string, _from: Reading, _sink: unknown, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (signal.aborted) resolve();
    });
  }

  names(): Promise<readonly string[]> {
    return Promise.resolve([...this.#lists.keys()]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function parseLists(url: string): Lists {
  const lists = new Map<string, readonly Instance[]>();
  const parts = url.slice('static:'.length).split(';');
  for (const part of parts.map((text) => text.trim()).filter((text) => text !== '')) {
    const at = part.indexOf('=');
    const service = at < 0 ? undefined : parseServiceName(part.slice(0, at));
    if (service === undefined) throw refusal(`"${part}" is not SERVICE=HOST:PORT,…`);
    if (lists.has(service)) throw refusal(`"${service}" is given twice`);
    lists.set(service, parseInstances(service, part.slice(at + 1)));
  }
  if (lists.size === 0) throw refusal('no service is given');
  return lists;
}

function parseInstances(service: string, text: string): readonly Instance[] {
  const addresses = new Set(text.split(',').map((one) => one.trim()));
  return [...addresses].map((written) => {
    const address = parseAddress(written, '');
    if (address === undefined || address.port === 0 || !isHost(address.host)) {
      throw refusal(`"${written}" of ${service} is not HOST:PORT`);
    }
    const { host, port } = address;
    return { service, id: formatAddress(address), host, port, weight: 1, tags: [], meta: {} };
  });
}

function refusal(what: string): ConfigError {
  return new ConfigError(
    `registry static: ${what}; write it as static:payments=10.0.0.1:80,10.0.0.2:80;orders=10.0.0.3:80`,
  );
}
