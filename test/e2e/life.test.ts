// The life of an agent as a person or a supervisor sees it: start, signals, drain, exit codes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { Fleet, untilReady } from './agent-process.ts';
import { requestJson } from './http-client.ts';

const node = process.execPath;

describe('the life of an agent', () => {
  it('ends with the code of the app that ended by itself', async (t) => {
    const fleet = new Fleet(t);
    const command = [node, '-e', 'setTimeout(() => process.exit(7), 300)'];
    const agent = await fleet.start({ service: 'payments', registry: fleet.fileRegistry, command });
    assert.equal(await agent.exited, 7);
  });

  it('gives the app the addresses of its proxy and admin API', async (t) => {
    const fleet = new Fleet(t);
    const script =
      'console.log(`app ${process.env.OUTRIGGER_PROXY} ${process.env.OUTRIGGER_ADMIN}`)';
    const agent = await fleet.start({
      registry: fleet.fileRegistry,
      command: [node, '-e', script],
    });
    assert.equal(await agent.exited, 0);
    const { proxyPort, adminPort } = agent;
    const expected = `app http://127.0.0.1:${proxyPort} http://127.0.0.1:${adminPort}`;
    assert.ok(agent.output().includes(expected), agent.output());
  });

  it('says in one line that a command cannot be found or executed, with the code of shells', async (t) => {
    const fleet = new Fleet(t);
    const cases = [
      ['no-such-command-here', 127, /command not found: no-such-command-here/],
      [fleet.directory, 126, /command is not executable: /],
    ] as const;
    for (const [command, code, line] of cases) {
      const agent = await fleet.start({ registry: fleet.fileRegistry, command: [command] });
      assert.equal(await agent.exited, code);
      assert.match(agent.output(), line);
      assert.doesNotMatch(agent.output(), /^\s+at /m);
      assert.doesNotMatch(agent.output(), /drain phase ended/, 'the reason is not buried');
    }
  });

  it('drains the same way for SIGTERM, SIGINT and the drain command', async (t) => {
    const fleet = new Fleet(t);
    const registry = fleet.fileRegistry;
    const watcher = await fleet.start({ registry });
    for (const how of ['SIGTERM', 'SIGINT', 'drain'] as const) {
      const agent = await fleet.startRegistered({ service: 'payments', registry });
      if (how !== 'drain') agent.process.kill(how);
      else {
        const drain = { port: agent.adminPort, method: 'POST', path: '/v1/drain' };
        assert.equal((await requestJson(drain)).status, 202);
      }
      assert.equal(await agent.exited, 0, how);
      const phases = [...agent.output().matchAll(/"phase":"(\w+)"/g)].map(([, phase]) => phase);
      const all = ['announce', 'deregister', 'lame_duck', 'stop_app', 'finish', 'exit'];
      assert.deepEqual(phases, all, how);
      const { body } = await requestJson({
        port: watcher.adminPort,
        path: '/v1/services/payments',
      });
      assert.deepEqual((body as { instances?: unknown[] }).instances ?? [], [], how);
    }
  });

  it('lets others learn of it too where it does not register the app itself', async (t) => {
    const fleet = new Fleet(t);
    const agent = await fleet.startRegistered({
      service: 'payments',
      registry: 'static:orders=127.0.0.1:1',
      flags: ['--drain-delay', '200ms'],
    });
    agent.process.kill('SIGTERM');
    assert.equal(await agent.exited, 0);
    const line =
      agent
        .output()
        .split('\n')
        .find((text) => text.includes('"lame_duck"')) ?? '{}';
    const { outcome } = JSON.parse(line) as { readonly outcome?: string };
    assert.equal(outcome, 'done', agent.output());
  });

  it('keeps outbound calls working while the app ends', async (t) => {
    const fleet = new Fleet(t);
    const registry = fleet.fileRegistry;
    await fleet.startRegistered({ service: 'payments', registry });
    const script = `
      process.on('SIGTERM', () => {
        require('node:http').get(process.env.OUTRIGGER_PROXY + '/payments/last', (reply) => {
          console.log('last call ' + reply.statusCode);
          process.exit(0);
        });
      });
      setInterval(() => {}, 1000);
      console.log('orders runs');`;
    const orders = await fleet.start({ registry, command: [node, '-e', script] });
    await eventually('the app runs', () => orders.output().includes('orders runs'));
    orders.process.kill('SIGTERM');
    assert.equal(await orders.exited, 0);
    assert.match(orders.output(), /last call 200/);
  });

  it('ends at once at the second signal', async (t) => {
    const fleet = new Fleet(t);
    const script =
      "process.on('SIGTERM', () => console.log('not yet')); setInterval(() => {}, 1000); console.log('runs')";
    const agent = await fleet.start({
      registry: fleet.fileRegistry,
      command: [node, '-e', script],
    });
    await eventually('the app runs', () => agent.output().includes('runs'));
    agent.process.kill('SIGTERM');
    await eventually('the app was asked to stop', () => agent.output().includes('not yet'));
    const pid = await agent.appPid();
    agent.process.kill('SIGTERM');
    assert.equal(await agent.exited, 1);
    assert.match(agent.output(), /"phase":"stop_app","outcome":"forced"/);
    await eventually('the app is gone', () => !isAlive(pid));
  });

  it('waits with the app until the services it needs are there', async (t) => {
    const fleet = new Fleet(t);
    const registry = fleet.fileRegistry;
    const orders = await fleet.start({
      registry,
      flags: ['--wait-for', 'payments'],
      command: [node, '-e', "console.log('orders runs'); setInterval(() => {}, 1000)"],
    });
    await eventually('it says what it waits for', () =>
      orders.output().includes('waiting for a service'),
    );
    assert.ok(!orders.output().includes('orders runs'));
    await fleet.startRegistered({ service: 'payments', registry });
    await eventually('the app runs', () => orders.output().includes('orders runs'));
  });

  it('deregisters an unhealthy app and takes it back by itself', async (t) => {
    const fleet = new Fleet(t);
    const registry = fleet.fileRegistry;
    const flags = ['--health-http', '/', '--health-timeout', '200ms', '--health-fall', '2'];
    const payments = await fleet.startRegistered({ service: 'payments', registry, flags });
    const watcher = await fleet.start({ registry });
    const known = async (): Promise<number> => {
      const { body } = await requestJson({
        port: watcher.adminPort,
        path: '/v1/services/payments',
      });
      return (body as { instances?: unknown[] }).instances?.length ?? 0;
    };
    assert.equal(await known(), 1);
    const pid = await payments.appPid();
    process.kill(pid, 'SIGSTOP');
    await eventually('it is deregistered', async () => (await known()) === 0);
    process.kill(pid, 'SIGCONT');
    await eventually('it is back', async () => (await known()) === 1);
  });

  it('refuses with 2 and one line to listen where somebody listens', async (t) => {
    const fleet = new Fleet(t);
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    t.after(() => blocker.close());
    const { port } = blocker.address() as { readonly port: number };
    for (const flag of ['--listen', '--admin']) {
      const agent = await fleet.startFailing({
        registry: fleet.fileRegistry,
        flags: [flag, `127.0.0.1:${port}`],
      });
      assert.equal(agent.code, 2, agent.output);
      const line = `^outrigger: ${flag} 127\\.0\\.0\\.1:${port}: another process listens there[^\\n]*\\n$`;
      assert.match(agent.output, new RegExp(line));
    }
  });

  it('names the agent that has its address already', async (t) => {
    const fleet = new Fleet(t);
    const registry = fleet.fileRegistry;
    const first = await fleet.start({ service: 'payments', registry });
    const { pid } = first.process;
    const [admin, listen] = [`127.0.0.1:${first.adminPort}`, `127.0.0.1:${first.proxyPort}`];
    const why = `an agent \\(pid ${pid}, payments\\) runs there; give this one --listen and --admin of its own`;
    const second = await fleet.startFailing({ registry, flags: ['--admin', admin] });
    assert.equal(second.code, 2, second.output);
    assert.match(second.output, new RegExp(`^outrigger: --admin ${admin}: ${why}\\n$`));
    // The agent of another address is not the one that listens there.
    const third = await fleet.startFailing({ registry, flags: ['--listen', listen] });
    assert.match(third.output, /: another process listens there/);
  });

  it('never lets a request reach the admin API through the proxy', async (t) => {
    const fleet = new Fleet(t);
    const registry = fleet.fileRegistry;
    const { proxyPort, adminPort } = await fleet.start({ registry, flags: ['--passthrough'] });
    const call = async (path: string, host: string): Promise<unknown[]> => {
      const { status, body } = await requestJson({ port: proxyPort, path, headers: { host } });
      return [status, (body as { error?: unknown }).error];
    };
    for (const address of [`127.0.0.1:${adminPort}`, `localhost:${adminPort}`]) {
      assert.deepEqual(await call(`http://${address}/livez`, address), [403, 'not_a_service']);
    }
    const flags = ['--name', 'trap', '--port', String(adminPort)];
    await untilReady(await fleet.start({ registry, flags }));
    assert.deepEqual(await call('/livez', 'trap'), [502, 'connect_failed']);
  });

  it('carries a WebSocket and tells its client to go away in a drain', async (t) => {
    const fleet = new Fleet(t);
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    t.after(() => sockets.close());
    await once(sockets, 'listening');
    sockets.on('connection', (socket) => socket.on('message', (text) => socket.send(text)));
    const { port } = sockets.address() as { readonly port: number };
    const agent = await fleet.start({
      registry: fleet.fileRegistry,
      flags: ['--name', 'chat', '--port', String(port)],
    });
    await untilReady(agent);
    const client = new WebSocket(`ws://127.0.0.1:${agent.proxyPort}/`, {
      headers: { host: 'chat' },
    });
    await once(client, 'open');
    client.send('hello');
    const [text] = (await once(client, 'message')) as [Buffer];
    assert.equal(text.toString(), 'hello');
    const closed = once(client, 'close');
    agent.process.kill('SIGTERM');
    assert.equal((await closed)[0], 1001);
    assert.equal(await agent.exited, 0);
  });

  it('reads its configuration from a YAML file', async (t) => {
    const fleet = new Fleet(t);
    const path = `${fleet.directory}/outrigger.yaml`;
    writeFileSync(path, 'upstreams:\n  payments: { waitTimeout: 0s, balance: random }\n');
    const agent = await fleet.start({ registry: fleet.fileRegistry, flags: ['--config', path] });
    await requestJson({ port: agent.proxyPort, path: '/payments/' });
    const used = (await agent.status()).services;
    assert.deepEqual(
      used.map(({ service, balance }) => [service, balance]),
      [['payments', 'random']],
    );
  });

  it('warns of a stranger on the port of the app, before it starts the app', async (t) => {
    const fleet = new Fleet(t);
    const stranger = createServer().listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    t.after(() => stranger.close());
    const { port } = stranger.address() as { readonly port: number };
    const agent = await fleet.start({
      registry: fleet.fileRegistry,
      flags: ['--name', 'payments', '--port', String(port)],
      command: [node, '-e', "console.log('app runs')"],
    });
    assert.equal(await agent.exited, 0);
    const output = agent.output();
    const warned = output.indexOf('something listens on the port of the app');
    assert.ok(warned >= 0 && warned < output.indexOf('app runs'), output);
  });

  it('says in the log of which registry it speaks, without the password', async (t) => {
    const fleet = new Fleet(t);
    const away = `redis://:secret@127.0.0.1:${await freePort()}`;
    const agent = await fleet.startRegistered({
      service: 'payments',
      registry: fleet.fileRegistry,
      flags: ['--registry', away],
    });
    await eventually('both are told of', () => {
      const states = agent.output().match(/^.*"registry state changed".*$/gm) ?? [];
      const named = states.map((line) => (JSON.parse(line) as { registry: string }).registry);
      return named.includes(fleet.fileRegistry) && named.includes(away.replace('secret', '***'));
    });
    assert.doesNotMatch(agent.output(), /secret/);
  });

  it('loads nothing of Node that is large and not used', async (t) => {
    const fleet = new Fleet(t);
    const file = `${fleet.directory}/loaded`;
    const hook = fileURLToPath(new URL('../support/loaded-modules.cjs', import.meta.url));
    const agent = await fleet.start({
      registry: fleet.fileRegistry,
      environment: { NODE_OPTIONS: `--require ${hook}`, LOADED_MODULES_FILE: file },
    });
    agent.process.kill('SIGTERM');
    assert.equal(await agent.exited, 0);
    const loaded = JSON.parse(readFileSync(file, 'utf8')) as readonly string[];
    assert.ok(loaded.includes('http'), 'the list is one of modules');
    const large = ['internal/deps/undici/undici', 'http2', 'tls', 'zlib'];
    assert.deepEqual(
      large.filter((name) => loaded.includes(name)),
      [],
    );
  });

  it('is ready when the app is registered', async (t) => {
    const fleet = new Fleet(t);
    const payments = await fleet.start({ service: 'payments', registry: fleet.fileRegistry });
    await untilReady(payments);
    assert.match(payments.output(), /"msg":"registered"/);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
