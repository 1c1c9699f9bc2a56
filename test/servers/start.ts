// A registry server to try the agent with: the same that the tests use. Ends with Ctrl-C, and its data with it.
//
//   npm run server -- consul
import { once } from 'node:events';
import { messageOf } from '../../src/core/errors.ts';

interface StartedServer {
  readonly url: string;
  /** It has `hello` at port 8080 already, and nothing can be registered in it. */
  readonly isReadOnly?: true;
  stop(): Promise<void>;
}

interface Trial {
  /** Why it cannot be had here, if so. May install or build it. */
  readonly unavailable: () => string | undefined;
  readonly start: () => Promise<StartedServer>;
}

const trials: Readonly<Record<string, () => Promise<Trial>>> = {
  redis: async () => {
    const { requireRedis, startRedis } = await import('./redis.ts');
    return { unavailable: requireRedis, start: startRedis };
  },
  'redis-sentinel': async () => {
    const { requireRedisSentinel, startRedisSentinel } = await import('./redis-sentinel.ts');
    return { unavailable: requireRedisSentinel, start: startRedisSentinel };
  },
  'redis-cluster': async () => {
    const { requireRedisCluster, startRedisCluster } = await import('./redis-cluster.ts');
    return { unavailable: requireRedisCluster, start: startRedisCluster };
  },
  consul: async () => {
    const { requireConsul, startConsul } = await import('./consul.ts');
    return { unavailable: requireConsul, start: startConsul };
  },
  eureka: async () => {
    const { requireEureka, startEureka } = await import('./eureka.ts');
    return { unavailable: requireEureka, start: startEureka };
  },
  etcd: async () => {
    const { requireEtcd, startEtcd } = await import('./etcd.ts');
    return { unavailable: requireEtcd, start: startEtcd };
  },
  zookeeper: async () => {
    const { requireZooKeeper, startZooKeeper } = await import('./zookeeper.ts');
    const start = async (): Promise<StartedServer> => {
      const zooKeeper = await startZooKeeper();
      return { url: `zk://127.0.0.1:${zooKeeper.port}`, stop: () => zooKeeper.stop() };
    };
    return { unavailable: requireZooKeeper, start };
  },
  kubernetes: async () => {
    const { requireKubernetes, startKubernetes } = await import('./kubernetes.ts');
    const start = async (): Promise<StartedServer> => {
      const kubernetes = await startKubernetes();
      const url = `${kubernetes.url('default')}&register=slice`;
      return { url, stop: () => kubernetes.stop() };
    };
    return { unavailable: requireKubernetes, start };
  },
  dns: async () => {
    const { requireDnsmasq, startDnsmasq } = await import('./dnsmasq.ts');
    const records = ['--srv-host=_hello._tcp.t,h1.t,8080,0,1', '--host-record=h1.t,127.0.0.1'];
    const start = async (): Promise<StartedServer> => {
      const dnsmasq = await startDnsmasq(records);
      const url = `dns://127.0.0.1:${dnsmasq.port}/t`;
      return { url, isReadOnly: true, stop: () => dnsmasq.stop() };
    };
    return { unavailable: requireDnsmasq, start };
  },
};

/** Resolves at the first Ctrl-C, or when it is told to end. */
const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);

async function main(name: string, trial: Trial): Promise<void> {
  console.error(`preparing ${name}; the first time this may install or build it`);
  const reason = trial.unavailable();
  if (reason !== undefined) throw new Error(`${name} cannot be had here: ${reason}`);
  const started = await Promise.race([trial.start(), interrupted.then(() => undefined)]);
  // What has started so far ends with the process.
  if (started === undefined) process.exit(130);
  console.log(`${name} is at ${started.url}; Ctrl-C ends it\n`);
  const flags = started.isReadOnly === true ? '' : '--name hello --port 8080 ';
  console.log(`in another terminal:
  bin/outrigger.js run ${flags}--registry '${started.url}' -- python3 -m http.server 8080
and in a third one:
  curl http://hello.localhost:4140/`);
  await interrupted;
  await started.stop();
}

const [name = ''] = process.argv.slice(2);
const trial = await trials[name]?.();
if (trial === undefined) {
  console.error(`usage: npm run server -- ${Object.keys(trials).join('|')}`);
  process.exit(2);
}
try {
  await main(name, trial);
} catch (error) {
  console.error(messageOf(error));
  process.exit(1);
}
