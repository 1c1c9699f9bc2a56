// A registry server to try the agent with: the same that the tests use. Ends with Ctrl-C, and its data with it.
//
//   npm run server -- consul
import { once } from 'node:events';

interface StartedServer {
  readonly url: string;
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
};

const [name = ''] = process.argv.slice(2);
const trial = await trials[name]?.();
if (trial === undefined) {
  console.error(`usage: npm run server -- ${Object.keys(trials).join('|')}`);
  process.exit(2);
}
console.error(`preparing ${name}; the first time this may install or build it`);
const reason = trial.unavailable();
if (reason !== undefined) {
  console.error(reason);
  process.exit(1);
}
const server = await trial.start();
console.log(`${name} is at ${server.url}; Ctrl-C ends it\n`);
console.log('in another terminal:');
console.log(
  `  bin/outrigger.js run --name hello --port 8080 --registry '${server.url}' -- python3 -m http.server 8080`,
);
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await server.stop();
