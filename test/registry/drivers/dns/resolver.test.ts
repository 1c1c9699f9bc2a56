import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { systemClock as clock } from '../../../../src/core/clock.ts';
import { RegistryError } from '../../../../src/core/errors.ts';
import { Resolver } from '../../../../src/registry/drivers/dns/resolver.ts';
import { a, alias, startScripted, type Reply, type ScriptedServer } from './scripted-server.ts';
import { eventually } from '../../../support/eventually.ts';

const TC = 0x200;

function resolverFor(servers: readonly { readonly port: number }[], tcp = false): Resolver {
  const addresses = servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  return new Resolver({ clock }, { servers: addresses, tcp });
}

async function lookUp(resolver: Resolver, name = 'web.t'): Promise<string[]> {
  const { answers = [] } = await resolver.query(name, 'A', AbortSignal.timeout(5000));
  return answers.flatMap((answer) => (answer.type === 'A' ? [answer.data] : []));
}

/** Has the address for every name. */
function sound(t: TestContext): Promise<ScriptedServer> {
  return startScripted(t, ({ name }) => ({ answers: [a(name, '10.0.0.1')] }));
}

describe('Resolver', () => {
  it('asks for the target of an alias, and for that one’s', async (t) => {
    const replies: Readonly<Record<string, Reply>> = {
      'web.t': { answers: [alias('web.t', 'One.t'), alias('one.t', 'two.t')] },
      'two.t': { answers: [alias('two.t', 'three.t')] },
      'three.t': { answers: [a('three.t', '10.0.0.3')] },
    };
    const server = await startScripted(t, ({ name }) => replies[name]);
    assert.deepEqual(await lookUp(resolverFor([server])), ['10.0.0.3']);
    assert.deepEqual(
      server.asked.map(({ name }) => name),
      ['web.t', 'two.t', 'three.t'],
    );
  });

  it('does not follow aliases for ever, nor in a circle, nor to nothing', async (t) => {
    const replies: Readonly<Record<string, Reply>> = {
      'circle.t': { answers: [alias('circle.t', 'b.t'), alias('b.t', 'circle.t')] },
      'gone.t': { answers: [alias('gone.t', 'nothing.t')] },
      'nothing.t': { flags: 3 },
    };
    const server = await startScripted(
      t,
      ({ name }) => replies[name] ?? { answers: [alias(name, `x${name}`)] },
    );
    const resolver = resolverFor([server]);
    assert.deepEqual(await lookUp(resolver, 'circle.t'), []);
    assert.deepEqual(await lookUp(resolver, 'gone.t'), []);
    await assert.rejects(lookUp(resolver), { code: 'registry_invalid', message: /too many/ });
    assert.equal(server.asked.length, 1 + 2 + 9);
  });

  it('knows without asking that a name that cannot be has no records', async (t) => {
    const server = await sound(t);
    assert.deepEqual(await lookUp(resolverFor([server]), `${'x'.repeat(64)}.t`), []);
    assert.deepEqual(await lookUp(resolverFor([server]), 'a..t'), []);
    assert.deepEqual(server.asked, []);
  });

  for (const [what, reply] of [
    ['cannot answer', () => ({ flags: 2 })],
    ['refuses', () => ({ flags: 5 })],
    ['is silent', () => undefined],
    ['sends what is no answer', () => Buffer.from('nonsense')],
  ] satisfies [string, () => Reply][]) {
    it(`goes on to the next server when one ${what}, and stays with that`, async (t) => {
      const bad = await startScripted(t, reply);
      const good = await sound(t);
      const resolver = resolverFor([bad, good]);
      assert.deepEqual(await lookUp(resolver), ['10.0.0.1']);
      // On a busy machine the good one may seem to be late once.
      await eventually('the good one alone is asked', async () => {
        const before = bad.asked.length;
        assert.deepEqual(await lookUp(resolver), ['10.0.0.1']);
        return bad.asked.length === before;
      });
      assert.deepEqual(await lookUp(resolverFor([bad, good], true)), ['10.0.0.1']);
    });
  }

  it('says why when no server can answer', async (t) => {
    const bad = [
      await startScripted(t, () => ({ flags: 2 })),
      await startScripted(t, () => ({ flags: 5 })),
    ];
    await assert.rejects(lookUp(resolverFor(bad)), {
      code: 'registry_unavailable',
      message: 'the DNS server answers REFUSED for web.t A',
    });
  });

  it('notices a closed port at once', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    await once(socket, 'close');
    for (const tcp of [false, true]) {
      await assert.rejects(lookUp(resolverFor([{ port }], tcp)), {
        code: 'registry_unreachable',
        message: new RegExp(`^DNS server 127\\.0\\.0\\.1:${port}: .*ECONNREFUSED`),
      });
    }
  });

  it('sends again what was lost', async (t) => {
    let count = 0;
    const server = await startScripted(t, () =>
      ++count === 1 ? undefined : { answers: [a('web.t', '10.0.0.1')] },
    );
    assert.deepEqual(await lookUp(resolverFor([server])), ['10.0.0.1']);
  });

  it('fetches over TCP what was cut, in as many pieces as it comes', async (t) => {
    const answers = Array.from({ length: 1000 }, (_, n) => a('web.t', `10.0.${n >> 8}.${n & 255}`));
    const server = await startScripted(t, ({ over }) =>
      over === 'udp' ? { flags: TC } : { answers },
    );
    assert.equal((await lookUp(resolverFor([server]))).length, 1000);
  });

  it('ends with its signal, with the reason of that', async (t) => {
    const server = await startScripted(t, () => undefined);
    for (const tcp of [false, true]) {
      const ending = new AbortController();
      const asking = resolverFor([server, server], tcp).query('web.t', 'A', ending.signal);
      ending.abort(new RegistryError('registry_timeout', 'too late'));
      await assert.rejects(asking, { code: 'registry_timeout', message: /too late/ });
      const never = resolverFor([server], tcp).query('web.t', 'A', ending.signal);
      await assert.rejects(never, { code: 'registry_timeout' });
    }
  });

  it('uses the servers of the system when it is given none', async () => {
    const resolver = new Resolver({ clock }, { servers: undefined, tcp: false });
    const ending = AbortSignal.abort(new RegistryError('registry_timeout', 'too late'));
    await assert.rejects(
      resolver.query('web.t', 'A', ending),
      /^RegistryError: DNS server .+: too late$/,
    );
  });
});
