// Real Redis servers behind Sentinel for the contract suite.
import {
  requireRedisSentinel,
  startRedisSentinel,
  type RedisSentinelGroup,
} from '../../servers/redis-sentinel.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';

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
  #shared: Promise<RedisSentinelGroup> | undefined;
  #opened = 0;

  async version(): Promise<string> {
    return (await this.#group()).version();
  }

  available(): string | undefined {
    return requireRedisSentinel();
  }

  async open({ own }: { readonly own: boolean }): Promise<ContractRegistry> {
    this.#opened++;
    const prefix = `case${this.#opened}`;
    if (!own) return registryOf(await this.#group(), prefix, async () => undefined);
    const group = await startRedisSentinel({ password });
    return registryOf(group, prefix, () => group.stop());
  }

  async close(): Promise<void> {
    await (await this.#shared)?.stop();
  }

  #group(): Promise<RedisSentinelGroup> {
    return (this.#shared ??= startRedisSentinel({ password }));
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
    restartEmpty: () => group.restartEmpty(),
    restartWithData: (downMs) => group.restartWithData(downMs),
    pause: async () => {
      group.pause();
    },
    resume: async () => {
      group.resume();
    },
    wrongPasswordUrl: `${group.urlWith('wrong')}${query}`,
    writeForeignRecord: async (service, text) => {
      foreign++;
      await group.command('HSET', `${prefix}:{${service}}:i`, `foreign${foreign}`, text);
    },
    close,
  };
}

export const redisSentinelBackend: ContractBackend = new RedisSentinelBackend();
