import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Answer } from '../../../../src/core/dns-packet.ts';
import { systemClock } from '../../../../src/core/clock.ts';
import { silentLogger as logger } from '../../../../src/core/logger.ts';
import type { Callee } from '../../../../src/dns/answer.ts';
import { DnsServer } from '../../../../src/dns/server.ts';
import type { Driver, Reading } from '../../../../src/registry/driver.ts';
import { openDns } from '../../../../src/registry/drivers/dns/driver.ts';
import { eventually } from '../../../support/eventually.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { seededRandom } from '../../../support/seeded-random.ts';
import { a, startScripted, type Reply } from './scripted-server.ts';

/** Jitter is then always the same: nine tenths. */
const random = (): number => 0;

function srv(target: string, port: number, priority = 0): Answer {
  const data = { target, port, priority, weight: 1 };
  return { type: 'SRV', name: '_web._tcp.t', ttl: 5, data };
}

function open(t: TestContext, url: string, clock = systemClock): Driver {
  const driver = openDns(url, { clock, random, logger });
  t.after(() => driver.close());
  return driver;
}

async function idsOf(driver: Driver): Promise<string[]> {
  const { instances } = await driver.read('web', AbortSignal.timeout(5000));
  return instances.map(({ id }) => id);
}

class Following {
  readonly events: string[] = [];
  readonly clock = new FakeClock();
  readonly #ending = new AbortController();
  #end: Promise<void> = Promise.resolve();

  async start(t: TestContext, url: string): Promise<void> {
    const driver = open(t, url, this.clock);
    const from = await driver.read('web', this.#ending.signal);
    const sink = {
      changed: ({ instances }: Reading) => void this.events.push(`${instances.length}`),
      confirmed: () => void this.events.push('same'),
    };
    this.#end = driver.follow('web', from, sink, this.#ending.signal);
  }

  /** Resolves when it waits for its next look. */
  async looked(events: readonly string[]): Promise<void> {
    await eventually(`it sees ${events.join()}`, () => this.events.join() === events.join());
    await eventually('it waits', () => this.clock.pendingTimers === 1);
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.#end;
    assert.equal(this.clock.pendingTimers, 0);
  }
}

describe('the DNS driver', () => {
  for (const [ttl, expectedMs] of [
    [0, 1000],
    [5, 5000],
    [3600, 60_000],
  ] as const) {
    it(`asks again after ${expectedMs} ms for records that live ${ttl} s`, async (t) => {
      const server = await startScripted(t, () => ({ answers: [a('web.t', '10.0.0.1', ttl)] }));
      const following = new Following();
      await following.start(t, `dns://127.0.0.1:${server.port}/t?port=80`);
      await following.clock.advance(900);
      await following.looked(['same']);
      await following.clock.advance(0.9 * expectedMs - 1);
      assert.equal(server.asked.length, 2);
      await following.clock.advance(1);
      await following.looked(['same', 'same']);
      await following.end();
    });
  }

  it('tells a change, and nothing at all at the first of two empty answers', async (t) => {
    let answers = [a('web.t', '10.0.0.1', 0)];
    const server = await startScripted(t, () => ({ answers }));
    const following = new Following();
    await following.start(t, `dns://127.0.0.1:${server.port}/t?port=80`);
    answers = [...answers, a('web.t', '10.0.0.2', 0)];
    await following.clock.advance(900);
    await following.looked(['2']);
    answers = [];
    await following.clock.advance(900);
    // Asked for A and for AAAA.
    await eventually('it has asked', () => server.asked.length === 4);
    await following.looked(['2']);
    await following.clock.advance(900);
    await following.looked(['2', '0']);
    await following.end();
  });

  it('gives up a server that says nothing, in time for the next attempt', async (t) => {
    const server = await startScripted(t, () => undefined);
    const clock = new FakeClock();
    const driver = open(t, `dns://127.0.0.1:${server.port}/t`, clock);
    const reading = driver.read('web', new AbortController().signal);
    await eventually('it was asked', () => server.asked.length === 1);
    const refused = assert.rejects(reading, {
      code: 'registry_timeout',
      message: /no answer for _web\._tcp\.t within 1800 ms/,
    });
    await clock.advance(1800);
    await refused;
    assert.equal(clock.pendingTimers, 0);
  });

  it('ends what it is at when it is closed', async (t) => {
    const server = await startScripted(t, () => undefined);
    const clock = new FakeClock();
    const driver = open(t, `dns://127.0.0.1:${server.port}/t`, clock);
    const reading = driver.read('web', new AbortController().signal);
    await eventually('it was asked', () => server.asked.length === 1);
    const refused = assert.rejects(reading, { code: 'registry_unreachable' });
    await driver.close();
    await refused;
    await assert.rejects(driver.read('web', new AbortController().signal));
    assert.equal(clock.pendingTimers, 0);
  });

  it('looks up the targets that the answer gives no address of', async (t) => {
    const replies: Readonly<Record<string, Reply>> = {
      '_web._tcp.t SRV': {
        answers: [srv('given.t', 1), srv('four.t', 2), srv('six.t', 3), srv('spare.t', 4, 1)],
        additionals: [a('given.t', '10.0.0.1')],
      },
      'four.t A': { answers: [a('four.t', '10.0.0.2')] },
      'six.t AAAA': { answers: [{ type: 'AAAA', name: 'six.t', data: '2001:db8::1', ttl: 5 }] },
    };
    const server = await startScripted(t, ({ name, type }) => replies[`${name} ${type}`] ?? {});
    const driver = open(t, `dns://127.0.0.1:${server.port}/t`);
    assert.deepEqual(await idsOf(driver), ['10.0.0.1:1', '10.0.0.2:2', '[2001:db8::1]:3']);
    assert.ok(!server.asked.some(({ name }) => name === 'given.t' || name === 'spare.t'));
  });

  it('fails as a whole when one target cannot be looked up', async (t) => {
    const answers = [srv('good.t', 1), srv('bad.t', 2)];
    const server = await startScripted(t, ({ name }) => {
      if (name === 'bad.t') return { flags: 2 };
      return { answers: name === 'good.t' ? [a(name, '10.0.0.1')] : answers };
    });
    const driver = open(t, `dns://127.0.0.1:${server.port}/t`);
    await assert.rejects(idsOf(driver), { code: 'registry_unavailable' });
  });

  it('reads what the DNS server of an agent says, however much it is', async (t) => {
    const callees = Array.from({ length: 600 }, (_, n): Callee => {
      const host = n % 2 === 0 ? `10.0.${n >> 8}.${n & 255}` : `2001:db8::${n.toString(16)}`;
      return { host, port: 1000 + n, weight: 1 + (n % 7) };
    });
    const source = { callees: () => Promise.resolve(callees) };
    const deps = { source, clock: systemClock, random: seededRandom(1), logger };
    const address = { host: '127.0.0.1', port: 0 };
    const server = new DnsServer(deps, { address, domain: 'outrigger' });
    t.after(() => server.close());
    await server.start();
    const driver = open(t, `dns://127.0.0.1:${server.address?.port}/outrigger`);
    const { instances } = await driver.read('web', AbortSignal.timeout(5000));
    assert.deepEqual(
      instances.map(({ host, port, weight }) => ({ host, port, weight })).sort(byPort),
      callees,
    );
  });

  it('registers nothing, and knows no names', async (t) => {
    const driver = open(t, 'dns://127.0.0.1:1/t');
    await driver.acquire({} as never, 1000, new AbortController().signal);
    assert.equal(driver.capabilities.registers, false);
    assert.deepEqual(await driver.names(new AbortController().signal), []);
  });
});

function byPort(one: { readonly port: number }, other: { readonly port: number }): number {
  return one.port - other.port;
}
