// A process of a Hydra fleet: the unmodified npm package `hydra` and a small HTTP service, at a test's command.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';

export interface PeerOptions {
  readonly service: string;
  readonly redisUrl: string;
  readonly routes: readonly string[];
}

/** `call` is a method of hydra, or `matches`: which of the routes (first argument) fit a path (second), as hydra-router does it. */
export interface PeerRequest {
  readonly number: number;
  readonly call: string;
  readonly args: readonly unknown[];
}

export type PeerMessage =
  | {
      readonly kind: 'ready';
      readonly instanceId: string;
      readonly port: number;
      readonly version: string;
    }
  | { readonly kind: 'answer'; readonly number: number; readonly value?: unknown }
  | { readonly kind: 'failure'; readonly number: number; readonly reason: string }
  | { readonly kind: 'heard'; readonly message: unknown };

type Method = (...args: readonly unknown[]) => unknown;

interface Hydra {
  init(config: object): Promise<unknown>;
  registerService(): Promise<unknown>;
  registerRoutes(routes: readonly string[]): Promise<unknown>;
  getInstanceID(): string;
  on(event: 'message', listener: (message: unknown) => void): void;
}

const require = createRequire(import.meta.url);
const hydra = require('hydra') as Hydra & Readonly<Record<string, Method>>;
const { version } = require('hydra/package.json') as { readonly version: string };
const Route = createRequire(require.resolve('hydra'))('route-parser') as new (pattern: string) => {
  match(path: string): unknown;
};

const { service, redisUrl, routes } = JSON.parse(process.argv[2] ?? '') as PeerOptions;

const server = createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ by: service, path: request.url }));
});
await new Promise<void>((resolve) => {
  server.listen(0, '127.0.0.1', resolve);
});
const { port } = server.address() as AddressInfo;

await hydra.init({
  hydra: {
    serviceName: service,
    serviceDescription: `the ${service} service`,
    serviceVersion: '4.5.6',
    serviceType: 'test',
    serviceIP: '127.0.0.1',
    servicePort: port,
    redis: { url: redisUrl },
  },
});
hydra.on('message', (message) => {
  tell({ kind: 'heard', message });
});
await hydra.registerService();
await hydra.registerRoutes([...routes]);

process.on('message', (request: PeerRequest) => {
  void answer(request);
});
process.on('disconnect', () => process.exit(0));
tell({ kind: 'ready', instanceId: hydra.getInstanceID(), port, version });

async function answer({ number, call, args }: PeerRequest): Promise<void> {
  try {
    const value = call === 'matches' ? matches(args) : await hydra[call]?.(...args);
    tell({ kind: 'answer', number, value: plain(value) });
  } catch (error) {
    tell({ kind: 'failure', number, reason: String(error) });
  }
}

function matches([patterns, path]: readonly unknown[]): readonly string[] {
  return (patterns as readonly string[]).filter((pattern) => {
    const fit: unknown = new Route(pattern.slice(pattern.indexOf(']') + 1)).match(String(path));
    return fit !== false;
  });
}

function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function tell(message: PeerMessage): void {
  process.send?.(message);
}
