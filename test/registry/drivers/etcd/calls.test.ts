import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Address } from '../../../../src/core/address.ts';
import { systemClock } from '../../../../src/core/clock.ts';
import { RegistryError } from '../../../../src/core/errors.ts';
import { EtcdCalls } from '../../../../src/registry/drivers/etcd/calls.ts';
import { GrpcChannel } from '../../../../src/registry/drivers/etcd/grpc-channel.ts';
import { Leases } from '../../../../src/registry/drivers/etcd/leases.ts';
import {
  bytesField,
  messageOfFields,
  varintField,
} from '../../../../src/registry/drivers/etcd/protobuf.ts';
import { Trouble } from '../../../../src/registry/drivers/etcd/trouble.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { eventually } from '../../../support/eventually.ts';
import { FakeServer, type Answer } from './fake-server.ts';
import { soon } from './fixture.ts';

const done: Answer = { kind: 'message', message: bytesField(1, varintField(3, 1)) };
const refusal = (status: number, reason: string): Answer => ({ kind: 'refusal', status, reason });
const login = { user: 'app', password: { kind: 'text', text: 'secret' } } as const;

async function serverFor(t: TestContext): Promise<FakeServer> {
  const server = await new FakeServer().start();
  t.after(() => server.close());
  return server;
}

function callsTo(t: TestContext, servers: readonly Address[], withLogin = false): EtcdCalls {
  const channel = new GrpcChannel({ clock: systemClock }, { servers });
  t.after(() => channel.close());
  const trouble = new Trouble({ clock: systemClock });
  return new EtcdCalls({ channel, trouble }, withLogin ? { login } : {});
}

function timeout(afterMs: number): AbortSignal {
  const ending = new AbortController();
  const error = new RegistryError('registry_timeout', 'no answer');
  setTimeout(() => ending.abort(error), afterMs);
  return ending.signal;
}

describe('calls of etcd', () => {
  it('share one connection', async (t) => {
    const server = await serverFor(t);
    server.answer = () => done;
    const calls = callsTo(t, [server.address]);
    await Promise.all(['a', 'b', 'c'].map((key) => calls.delete(key, soon())));
    assert.deepEqual(server.methods(), ['DeleteRange', 'DeleteRange', 'DeleteRange']);
    assert.equal(server.connections, 1);
  });

  it('go to the next server when one is away, and stay there', async (t) => {
    const [away, first, second] = [await serverFor(t), await serverFor(t), await serverFor(t)];
    const servers = [away, first, second].map(({ address }) => address);
    await away.close();
    first.answer = second.answer = () => done;
    const calls = callsTo(t, servers);
    await calls.delete('a', soon());
    await calls.delete('b', soon());
    assert.deepEqual([first.calls.length, second.calls.length], [2, 0]);
    await first.close();
    await assert.rejects(callsTo(t, servers.slice(0, 2)).delete('c', soon()), {
      code: 'registry_unreachable',
    });
  });

  it('leave a server that cannot serve, or that is silent', async (t) => {
    const [first, second] = [await serverFor(t), await serverFor(t)];
    const calls = callsTo(t, [first.address, second.address]);
    first.answer = () => refusal(14, 'etcdserver: no leader');
    await assert.rejects(calls.delete('a', soon()), { code: 'registry_unavailable' });
    await assert.rejects(calls.delete('b', timeout(50)), { code: 'registry_timeout' });
    assert.equal(second.calls.length, 1);
    first.answer = () => done;
    await eventually('the first one is used', async () => {
      await calls.delete('c', timeout(50));
      return true;
    });
    assert.equal(first.connections, 2);
  });

  it('make a new connection to the only server when it is silent', async (t) => {
    const server = await serverFor(t);
    const calls = callsTo(t, [server.address]);
    await assert.rejects(calls.delete('a', timeout(50)), { code: 'registry_timeout' });
    await eventually('there is another one', async () => {
      await assert.rejects(calls.delete('b', timeout(50)), { code: 'registry_timeout' });
      return server.connections === 2;
    });
  });

  it('do not leave a server that is only slow to answer one of them', async (t) => {
    const server = await serverFor(t);
    const calls = callsTo(t, [server.address]);
    server.answer = ({ method }) => (method === 'DeleteRange' ? { kind: 'nothing' } : done);
    const slow = calls.delete('a', timeout(100));
    await calls.put('b', '', { leaseId: 1n }, soon());
    await assert.rejects(slow, { code: 'registry_timeout' });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await calls.put('c', '', { leaseId: 1n }, soon());
    assert.equal(server.connections, 1);
  });

  it('fail with the code that the refusal means', async (t) => {
    const server = await serverFor(t);
    const calls = callsTo(t, [server.address]);
    for (const [status, reason, code] of [
      [3, 'etcdserver: authentication failed, invalid user ID or password', 'registry_auth'],
      [3, 'etcdserver: key is not provided', 'registry_invalid'],
      [7, 'etcdserver: permission denied', 'registry_auth'],
      [8, 'etcdserver: mvcc: database space exceeded', 'registry_unavailable'],
      [14, 'etcdserver: request timed out', 'registry_unavailable'],
      [12, '', 'registry_invalid'],
    ] as const) {
      server.answer = () => refusal(status, reason);
      await assert.rejects(calls.delete('a', soon()), { code, message: new RegExp(reason) });
    }
  });

  it('refuse answers that are no gRPC', async (t) => {
    const server = await serverFor(t);
    const calls = callsTo(t, [server.address]);
    const compressed = Buffer.from('0100000000', 'hex');
    const endless = Buffer.from('007fffffff', 'hex');
    for (const [httpStatus, body] of [
      [502, Buffer.from('Bad Gateway')],
      [200, compressed],
      [200, endless],
    ] as const) {
      server.answer = () => ({ kind: 'raw', httpStatus, body });
      await assert.rejects(calls.delete('a', soon()), { code: 'registry_invalid' });
    }
  });

  it('log in once, and once more when the token has ended', async (t) => {
    const server = await serverFor(t);
    const calls = callsTo(t, [server.address], true);
    let valid = 'token1';
    server.answer = ({ method, token }) => {
      if (method === 'Authenticate') return { kind: 'message', message: bytesField(2, valid) };
      return token === valid ? done : refusal(16, 'etcdserver: invalid auth token');
    };
    await Promise.all([calls.delete('a', soon()), calls.delete('b', soon())]);
    assert.deepEqual(server.methods(), ['Authenticate', 'DeleteRange', 'DeleteRange']);
    valid = 'token2';
    await calls.delete('c', soon());
    assert.deepEqual(server.methods().slice(3), ['DeleteRange', 'Authenticate', 'DeleteRange']);
    server.answer = ({ method }) =>
      method === 'Authenticate' ? done : refusal(16, 'etcdserver: invalid auth token');
    server.calls.length = 0;
    await assert.rejects(calls.delete('d', soon()), { code: 'registry_auth' });
    assert.deepEqual(server.methods(), ['DeleteRange', 'Authenticate', 'DeleteRange']);
  });

  it('log in anew after a call without an answer, as the token may be from a lost history', async (t) => {
    const server = await serverFor(t);
    const calls = callsTo(t, [server.address], true);
    const authenticated: Answer = { kind: 'message', message: bytesField(2, 'token') };
    server.answer = ({ method }) =>
      method === 'Authenticate' ? authenticated : { kind: 'nothing' };
    await assert.rejects(calls.delete('a', timeout(50)), { code: 'registry_timeout' });
    server.answer = ({ method }) => (method === 'Authenticate' ? authenticated : done);
    await calls.delete('b', soon());
    const login = ['Authenticate', 'DeleteRange'];
    assert.deepEqual(server.methods(), [...login, ...login]);
  });

  it('do without a token where authentication is off, and get one when it is on', async (t) => {
    const server = await serverFor(t);
    const calls = callsTo(t, [server.address], true);
    const isOff = refusal(9, 'etcdserver: authentication is not enabled');
    server.answer = ({ method }) => (method === 'Authenticate' ? isOff : done);
    await calls.delete('a', soon());
    server.answer = ({ method, token }) => {
      if (method === 'Authenticate') return { kind: 'message', message: bytesField(2, 'token') };
      return token === 'token' ? done : refusal(3, 'etcdserver: user name is empty');
    };
    await calls.delete('b', soon());
  });
});

describe('leases', () => {
  const granted = (id: number, ttl: number): Answer => ({
    kind: 'message',
    message: messageOfFields(varintField(2, id), varintField(3, ttl)),
  });
  const keysAre = (...keys: readonly string[]): Answer => ({
    kind: 'message',
    message: messageOfFields(...keys.map((key) => bytesField(5, key))),
  });
  const record = (key: string) => ({ key, value: '{}' });

  async function leasesFor(t: TestContext): Promise<{
    leases: Leases;
    server: FakeServer;
    clock: FakeClock;
    answers: Map<string, Answer>;
  }> {
    const server = await serverFor(t);
    const answers = new Map<string, Answer>([
      ['LeaseGrant', granted(7, 3)],
      ['LeaseKeepAlive', granted(7, 3)],
      ['LeaseTimeToLive', keysAre('a', 'b')],
    ]);
    server.answer = ({ method }) => answers.get(method) ?? done;
    const clock = new FakeClock();
    const leases = new Leases({ clock, calls: callsTo(t, [server.address]) });
    return { leases, server, clock, answers };
  }
  const count = (server: FakeServer, method: string): number =>
    server.methods().filter((other) => other === method).length;

  it('round the TTL up to seconds, one lease for each', async (t) => {
    const { leases, server } = await leasesFor(t);
    const ttls = [2001, 3000, 3000, 2500];
    await Promise.all(ttls.map((ttlMs, n) => leases.write(record(`k${n}`), ttlMs, soon())));
    assert.equal(count(server, 'LeaseGrant'), 1);
    await leases.write(record('other'), 3001, soon());
    assert.equal(count(server, 'LeaseGrant'), 2);
    assert.equal(await leases.renew('k0', 4000, soon()), 'gone', 'another TTL needs a new record');
  });

  it('answer renewals of one time by one keep-alive, later ones by another', async (t) => {
    const { leases, server, clock } = await leasesFor(t);
    for (const key of ['a', 'b']) await leases.write(record(key), 3000, soon());
    await clock.advance(500);
    assert.deepEqual(await Promise.all(['a', 'b'].map((key) => leases.renew(key, 3000, soon()))), [
      'ok',
      'ok',
    ]);
    await clock.advance(500);
    assert.equal(await leases.renew('a', 3000, soon()), 'ok');
    assert.equal(count(server, 'LeaseKeepAlive'), 1);
    await clock.advance(500);
    assert.equal(await leases.renew('a', 3000, soon()), 'ok');
    assert.equal(count(server, 'LeaseKeepAlive'), 2);
  });

  it('do not answer by a keep-alive that failed', async (t) => {
    const { leases, server, answers } = await leasesFor(t);
    await leases.write(record('a'), 3000, soon());
    answers.set('LeaseKeepAlive', refusal(14, 'etcdserver: no leader'));
    await assert.rejects(leases.renew('a', 3000, soon()), { code: 'registry_unavailable' });
    answers.set('LeaseKeepAlive', granted(7, 3));
    assert.equal(await leases.renew('a', 3000, soon()), 'ok');
    assert.equal(count(server, 'LeaseKeepAlive'), 2);
  });

  it('are gone with all records when a keep-alive comes back without a TTL', async (t) => {
    const { leases, server, answers } = await leasesFor(t);
    for (const key of ['a', 'b']) await leases.write(record(key), 3000, soon());
    answers.set('LeaseKeepAlive', granted(7, 0));
    assert.equal(await leases.renew('a', 3000, soon()), 'gone');
    assert.equal(await leases.renew('b', 3000, soon()), 'gone');
    assert.equal(count(server, 'LeaseKeepAlive'), 1);
    await leases.write(record('a'), 3000, soon());
    assert.equal(count(server, 'LeaseGrant'), 2);
  });

  it('miss the record that somebody removed, and no other', async (t) => {
    const { leases, answers } = await leasesFor(t);
    for (const key of ['a', 'b']) await leases.write(record(key), 3000, soon());
    answers.set('LeaseTimeToLive', keysAre('b'));
    assert.equal(await leases.renew('a', 3000, soon()), 'gone');
    assert.equal(await leases.renew('b', 3000, soon()), 'ok');
  });

  it('do not miss a record that was written after the keep-alive', async (t) => {
    const { leases } = await leasesFor(t);
    await leases.write(record('a'), 3000, soon());
    assert.equal(await leases.renew('a', 3000, soon()), 'ok');
    await leases.write(record('new'), 3000, soon());
    assert.equal(await leases.renew('new', 3000, soon()), 'ok');
  });

  it('that nobody kept for a while are asked for before another record is put under them', async (t) => {
    const { leases, server, clock, answers } = await leasesFor(t);
    await leases.write(record('a'), 3000, soon());
    await clock.advance(2900);
    await leases.write(record('b'), 3000, soon());
    assert.equal(count(server, 'LeaseKeepAlive'), 1);
    await clock.advance(2900);
    answers.set('LeaseKeepAlive', granted(7, 0));
    await leases.write(record('b'), 3000, soon());
    assert.equal(count(server, 'LeaseGrant'), 2);
  });

  it('are given back with the last record', async (t) => {
    const { leases } = await leasesFor(t);
    for (const key of ['a', 'b']) await leases.write(record(key), 3000, soon());
    assert.equal(leases.forget('a'), undefined);
    assert.equal(leases.forget('a'), undefined);
    assert.equal(leases.forget('b'), 7n);
    assert.equal(await leases.renew('b', 3000, soon()), 'gone');
  });

  it('end a keep-alive that hangs, however many wait for it', async (t) => {
    const { leases, answers } = await leasesFor(t);
    await leases.write(record('a'), 3000, soon());
    answers.set('LeaseKeepAlive', { kind: 'nothing' });
    const first = leases.renew('a', 3000, timeout(50));
    const second = leases.renew('a', 3000, soon());
    await assert.rejects(first, { code: 'registry_timeout' });
    await assert.rejects(second, { code: 'registry_timeout' });
  });
});
