// The Compose example: read as Compose does, and its command lines as the agent does.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { splitCommandLine } from '../../src/config/command-line.ts';
import { assertAsksReadiness, loadRun, pathOf, secondsOf, textOf } from './support.ts';

interface Container {
  readonly image: string;
  readonly build?: string;
  readonly command: string | readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly network_mode?: string;
  readonly restart?: string;
  readonly stop_grace_period?: string;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<
    Record<string, { readonly condition: string; readonly restart?: boolean }>
  >;
}

const file = 'examples/compose/compose.yaml';
const { services: containers } = parse(await textOf(file), { merge: true }) as {
  readonly services: Readonly<Record<string, Container>>;
};
const here = dirname(pathOf(file));
const apps = ['payments', 'orders'];

function container(name: string): Container {
  const found = containers[name];
  assert.ok(found, `no container ${name}`);
  return found;
}

async function agentOf(app: string) {
  const agent = container(`${app}-agent`);
  assert.ok(typeof agent.command === 'string');
  return { agent, config: await loadRun(splitCommandLine(agent.command) ?? []) };
}

describe('examples/compose/compose.yaml', () => {
  it('has two apps with an agent each, and the registry that the agents use', async () => {
    const agents = apps.map((app) => `${app}-agent`);
    assert.deepEqual(Object.keys(containers).toSorted(), [...apps, ...agents, 'redis'].toSorted());
    for (const app of apps) {
      const { config } = await agentOf(app);
      assert.equal(config.registries[0]?.url, 'redis://redis:6379');
    }
  });

  it('lets the agent look at the port that its app listens on', async () => {
    for (const app of apps) {
      const { config } = await agentOf(app);
      const [service] = config.services;
      assert.equal(service?.name, app);
      assert.equal(String(service.port), container(app).environment?.['PORT']);
      assert.equal(container(app).environment?.['LISTEN_HOST'], '0.0.0.0');
    }
  });

  it('lets the app find the proxy of its agent', async () => {
    const { config } = await agentOf('orders');
    const proxy = `http://127.0.0.1:${config.listen.port}`;
    assert.equal(container('orders').environment?.['OUTRIGGER_PROXY'], proxy);
    const [published] = container('orders').ports ?? [];
    assert.equal(published?.split(':').at(-1), container('orders').environment?.['PORT']);
  });

  it('puts each agent into the network of its app and stops it first, with time to drain', async () => {
    for (const app of apps) {
      const { agent, config } = await agentOf(app);
      assert.equal(agent.network_mode, `service:${app}`);
      assert.equal(agent.ports, undefined, 'the network is that of the app');
      assert.deepEqual(agent.depends_on?.[app], { condition: 'service_started', restart: true });
      assert.equal(agent.depends_on['redis']?.condition, 'service_healthy');
      assert.ok(secondsOf(agent.stop_grace_period) * 1000 > config.drain.timeoutMs);
      assert.equal(container(app).restart, undefined, 'the agent would be left without a network');
    }
  });

  it('counts an agent as healthy when it is ready', async () => {
    for (const app of apps) {
      const { agent, config } = await agentOf(app);
      const [kind, ...words] = agent.healthcheck?.test ?? [];
      assert.equal(kind, 'CMD');
      assertAsksReadiness(words, config);
    }
    assert.deepEqual(container('redis').healthcheck?.test, ['CMD', 'redis-cli', 'ping']);
  });

  it('names images by version, and files that exist', async () => {
    for (const [name, { image, build, volumes = [] }] of Object.entries(containers)) {
      assert.match(image, build === undefined ? /^[a-z]+:\d/ : /^outrigger:local$/, name);
      if (build !== undefined) assert.ok(existsSync(join(here, build, 'Dockerfile')));
      for (const volume of volumes) {
        const [source = '', target = '', mode] = volume.split(':');
        assert.ok(existsSync(join(here, source)), source);
        assert.equal(mode, 'ro');
        assert.ok(container(name).command.includes(target), `${name} does not run ${target}`);
      }
    }
  });
});
