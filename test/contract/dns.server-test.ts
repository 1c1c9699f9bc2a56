// The promises of a registry that others write, on a real DNS server: what it says is found, and its troubles empty nothing.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { decode, encode, TRUNCATED_RESPONSE, type Answer } from '../../src/core/dns-packet.ts';
import { systemClock as clock } from '../../src/core/clock.ts';
import { silentLogger as logger } from '../../src/core/logger.ts';
import { systemRandom as random } from '../../src/core/random.ts';
import { openDriver } from '../../src/registry/open.ts';
import { Registry } from '../../src/registry/registry.ts';
import { requireDnsmasq, startDnsmasq, type DnsmasqServer } from '../servers/dnsmasq.ts';
import { eventually } from '../support/eventually.ts';
import { Recorder } from './world.ts';

const deps = { clock, random, logger };
const three = [1, 2, 3].flatMap((n) => [
  `--srv-host=_web._tcp.t,h${n}.t,${8000 + n},0,${n}`,
  `--host-record=h${n}.t,127.0.0.${n}`,
]);
const healed = { deadlineMs: 15_000 };

async function serve(t: TestContext, records: readonly string[]): Promise<DnsmasqServer> {
  const server = await startDnsmasq(records);
  t.after(() => server.stop());
  return server;
}

async function agent(t: TestContext, url: string): Promise<Registry> {
  const registry = new Registry({ ...deps, driver: await openDriver(url, deps) });
  t.after(() => registry.close());
  return registry;
}

async function watch(t: TestContext, url: string): Promise<Recorder> {
  const recorder = new Recorder(await agent(t, url), 'web');
  t.after(() => recorder.stop());
  return recorder;
}

async function read(t: TestContext, url: string): Promise<string[]> {
  const registry = await agent(t, url);
  const { instances } = await registry.read('web', AbortSignal.timeout(5000));
  return instances.map(({ id, weight }) => `${id}*${weight}`);
}

describe('driver contract: dns', { skip: requireDnsmasq() ?? false }, () => {
  it('finds instances with ports, weights and addresses by SRV', async (t) => {
    const { port } = await serve(t, three);
    assert.deepEqual(await read(t, `dns://127.0.0.1:${port}/t`), [
      '127.0.0.1:8001*1',
      '127.0.0.2:8002*2',
      '127.0.0.3:8003*3',
    ]);
  });

  it('finds them by addresses, with a fixed port, of IPv6 too', async (t) => {
    const records = ['--host-record=web.t,127.0.0.1', '--host-record=web.t,127.0.0.2'];
    const { port } = await serve(t, [...records, '--host-record=six.t,2001:db8::1']);
    assert.deepEqual(await read(t, `dns://127.0.0.1:${port}/t?port=80`), [
      '127.0.0.1:80*1',
      '127.0.0.2:80*1',
    ]);
    const registry = await agent(t, `dns://127.0.0.1:${port}/t?port=80`);
    const { instances } = await registry.read('six', AbortSignal.timeout(5000));
    assert.deepEqual(
      instances.map(({ host }) => host),
      ['2001:db8::1'],
    );
  });

  it('asks again over TCP when the answer does not fit, and always when told to', async (t) => {
    const many = Array.from({ length: 1000 }, (_, n) => [
      `--srv-host=_web._tcp.t,h${n}.t,8000,0,1`,
      `--host-record=h${n}.t,127.1.${n >> 8}.${n & 255}`,
    ]).flat();
    const { port } = await serve(t, many);
    assert.equal((await read(t, `dns://127.0.0.1:${port}/t`)).length, 1000);
    assert.equal((await read(t, `dns://127.0.0.1:${port}/t?tcp=1`)).length, 1000);
  });

  it('sees changes within the life of the records', async (t) => {
    const server = await serve(t, three);
    const recorder = await watch(t, `dns://127.0.0.1:${server.port}/t`);
    await eventually('all are there', () => recorder.ids().length === 3, healed);
    await server.restart([...three, '--srv-host=_web._tcp.t,h1.t,9000,0,1']);
    await eventually('one more', () => recorder.ids().includes('127.0.0.1:9000'), healed);
    await server.restart(three.slice(0, 2));
    await eventually('one only', () => recorder.ids().length === 1, healed);
    await server.restart([]);
    await eventually('none', () => recorder.ids().length === 0, healed);
  });

  const troubles: readonly (readonly [string, (server: DnsmasqServer) => Promise<void>])[] = [
    ['dead', (server) => server.end()],
    [
      'silent',
      (server) =>
        new Promise((resolve) => {
          server.pause();
          resolve();
        }),
    ],
  ];
  for (const [what, begin] of troubles) {
    it(`a server that is ${what} leaves the list as it was`, async (t) => {
      const server = await serve(t, three);
      const recorder = await watch(t, `dns://127.0.0.1:${server.port}/t`);
      await eventually('all are there', () => recorder.ids().length === 3, healed);
      recorder.mark();
      await begin(server);
      await eventually('it is noticed', () => recorder.latest.state === 'stale', healed);
      assert.equal(recorder.ids().length, 3);
      server.resume();
      await server.restart(three);
      await eventually('it is live again', () => recorder.latest.state === 'live', healed);
      assert.equal(recorder.fewest, 3);
    });
  }

  it('goes to another server when one does not answer', async (t) => {
    const [one, two] = [await serve(t, three), await serve(t, three)];
    one.pause();
    const url = `dns://127.0.0.1:${one.port},127.0.0.1:${two.port}/t`;
    assert.equal((await read(t, url)).length, 3);
  });

  it('believes only what answers its own question', async (t) => {
    const answer: Answer = { type: 'A', name: 'web.t', ttl: 60, data: '127.0.0.9' };
    const server = createSocket('udp4');
    t.after(() => server.close());
    server.on('message', (bytes, { port, address }) => {
      const query = decode(bytes);
      const say = (parts: object): void =>
        server.send(encode({ ...query, type: 'response', ...parts } as never), port, address);
      if (query.questions?.[0]?.type === 'AAAA') {
        say({ answers: [] });
        return;
      }
      server.send(Buffer.from('no dns at all'), port, address);
      say({ id: ((query.id ?? 0) + 1) % 65_536, answers: [answer] });
      say({ questions: [{ type: 'A', name: 'evil.t' }], answers: [answer] });
      server.send(bytes, port, address);
      say({ answers: [{ ...answer, data: '127.0.0.1' }] });
    });
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    assert.deepEqual(await read(t, `dns://127.0.0.1:${server.address().port}/t?port=80`), [
      '127.0.0.1:80*1',
    ]);
  });

  it('fails, and empties nothing, when the server cannot answer', async (t) => {
    let flags = 2;
    const server = createSocket('udp4');
    t.after(() => server.close());
    server.on('message', (bytes, { port, address }) => {
      server.send(encode({ ...decode(bytes), type: 'response', flags } as never), port, address);
    });
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `dns://127.0.0.1:${server.address().port}/t?port=80`;
    await assert.rejects(read(t, url), {
      code: 'registry_unavailable',
      message: /SERVFAIL for web\.t/,
    });
    flags = 5;
    await assert.rejects(read(t, url), { code: 'registry_unavailable', message: /REFUSED/ });
    // Nobody listens for TCP there.
    flags = TRUNCATED_RESPONSE;
    await assert.rejects(read(t, url), { code: 'registry_unreachable' });
  });
});
