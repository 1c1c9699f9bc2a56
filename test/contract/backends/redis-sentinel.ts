// Real Redis servers behind Sentinel for the contract suite.
import {
  requireRedisSentinel,
  startRedisSentinel,
  type RedisSentinelGroup,
} from '../../servers/redis-sentinel.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';
import { CaseServers, faultsOf } from './case-servers.ts';

const ttlMs = 2000;
const heartbeatMs = 600;
const password = 'right';

/** Cases that do not hurt the servers share them, each with a prefix of its own. */
class RedisSentinelBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  readonly without = {
    dropSilently: "Sentinel names the primary's own address, which leads past the suite's proxy",
  };
  readonly #servers = new CaseServers(() => startRedisSentinel({ password }));

  async version(): Promise<string> {
    return (await this.#servers.shared()).version();
  }

  available(): string | undefined {
    return requireRedisSentinel();
  }

  async open(options: { readonly own: boolean }): Promise<ContractRegistry> {
    const { server, number, close } = await this.#servers.open(options);
    return registryOf(server, `case${number}`, close);
  }

  close(): Promise<void> {
    return this.#servers.close();
  }
}

function registryOf(
  group: RedisSentinelGroup,
  prefix: string,
  close: () => Promise<void>,
): ContractRegistry {
  const query = `?prefix=${prefix}&ttl=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
  let foreign = 0;
  return {
    url: `${group.url}${query}`,
    ...faultsOf(group),
    wrongPasswordUrl: `${group.urlWith('wrong')}${query}`,
    writeForeignRecord: async (service, text) => {
      foreign++;
      await group.command('HSET', `${prefix}:{${service}}:i`, `foreign${foreign}`, text);
    },
    close,
  };
}

export const redisSentinelBackend: ContractBackend = new RedisSentinelBackend();
