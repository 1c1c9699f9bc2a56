// What the registries of the contract suite have in common: servers that cases share or have for themselves, and their faults.
import type { ContractRegistry } from '../backend.ts';

interface Endable {
  stop(): Promise<void>;
}

interface Faulty {
  restartEmpty(): Promise<void>;
  restartWithData(downMs?: number): Promise<void>;
  pause(): void;
  resume(): void;
}

/** A server for one case. */
interface CaseServer<S> {
  readonly server: S;
  /** Another one for each case, from 1: what the case writes is apart from what others on the same server write. */
  readonly number: number;
  /** Ends it if it was the case's own. */
  readonly close: () => Promise<void>;
}

/** One server is shared by the cases that do not hurt it; each of the others gets one of its own. */
export class CaseServers<S extends Endable> {
  readonly #start: () => Promise<S>;
  #shared: Promise<S> | undefined;
  #opened = 0;

  constructor(start: () => Promise<S>) {
    this.#start = start;
  }

  shared(): Promise<S> {
    this.#shared ??= this.#start();
    return this.#shared;
  }

  async open({ own }: { readonly own: boolean }): Promise<CaseServer<S>> {
    const number = ++this.#opened;
    if (!own) return { server: await this.shared(), number, close: async () => undefined };
    const server = await this.#start();
    return { server, number, close: () => server.stop() };
  }

  /** Ends the shared one, if there is one. */
  async close(): Promise<void> {
    const shared = this.#shared;
    this.#shared = undefined;
    await (await shared)?.stop();
  }
}

type Faults = Required<
  Pick<ContractRegistry, 'restartEmpty' | 'restartWithData' | 'pause' | 'resume'>
>;

export function faultsOf(server: Faulty): Faults {
  return {
    restartEmpty: () => server.restartEmpty(),
    restartWithData: (downMs) => server.restartWithData(downMs),
    pause: async () => server.pause(),
    resume: async () => server.resume(),
  };
}

type Urls = Required<Pick<ContractRegistry, 'url' | 'server' | 'wrongPasswordUrl'>>;

/** `urlAt`: the registry's URL with that server and password. */
export function urlsOf(
  { port: ownPort }: { readonly port: number },
  urlAt: (host: string, port: number, password: 'right' | 'wrong') => string,
): Urls {
  const address = { host: '127.0.0.1', port: ownPort };
  return {
    url: urlAt(address.host, address.port, 'right'),
    server: { address, urlAt: ({ host, port }) => urlAt(host, port, 'right') },
    wrongPasswordUrl: urlAt(address.host, address.port, 'wrong'),
  };
}
