import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegistryError } from '../../../../src/core/errors.ts';
import { Connection } from '../../../../src/registry/drivers/redis/connection.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { FakeServer, forever, replyError } from './fake-port.ts';

function setUp(): {
  readonly clock: FakeClock;
  readonly server: FakeServer;
  readonly connection: Connection;
  readonly lost: RegistryError[];
  readonly ping: (signal?: AbortSignal) => Promise<unknown>;
} {
  const clock = new FakeClock();
  const server = new FakeServer();
  const lost: RegistryError[] = [];
  const connection = new Connection(
    { clock, random: () => 0.5, open: server.open },
    { message: () => undefined, lost: (error) => void lost.push(error) },
    { timeoutMs: 2000 },
  );
  const ping = (signal?: AbortSignal): Promise<unknown> =>
    connection.use((port) => port.command('PING', []), signal);
  return { clock, server, connection, lost, ping };
}

/** The code of the error that the promise rejects with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error as RegistryError).code,
  );
}

describe('a connection', () => {
  it('is made at the first use, once for all that wait', async () => {
    const { server, clock, ping } = setUp();
    assert.equal(server.attempts, 0);
    await Promise.all([ping(), ping(), ping()]);
    assert.equal(server.attempts, 1);
    assert.equal(clock.pendingTimers, 0);
  });

  it('is given up when an answer does not come in time, and made again', async () => {
    const { server, clock, lost, ping } = setUp();
    await ping();
    server.port.answer = () => forever;
    const code = codeOf(ping());
    await clock.advance(2000);
    assert.equal(await code, 'registry_timeout');
    assert.equal(server.port.closed, true);
    assert.equal(lost[0]?.code, 'registry_timeout');
    assert.equal(await ping(), 'OK');
    assert.equal(server.attempts, 2);
  });

  it('is watched also for callers that have gone', async () => {
    const { server, clock, ping } = setUp();
    await ping();
    server.port.answer = () => forever;
    const abort = new AbortController();
    const code = codeOf(ping(abort.signal));
    abort.abort();
    assert.equal(await code, 'registry_timeout');
    assert.equal(server.port.closed, false);
    await clock.advance(2000);
    assert.equal(server.port.closed, true);
  });

  it('is given up when a caller with less patience got no answer in time', async () => {
    const { server, clock, lost, ping } = setUp();
    await ping();
    server.port.answer = () => forever;
    const abort = new AbortController();
    const code = codeOf(ping(abort.signal));
    await settle();
    abort.abort(new RegistryError('registry_timeout', 'no answer within 300 ms'));
    assert.equal(await code, 'registry_timeout');
    await settle();
    assert.equal(server.port.closed, true);
    assert.equal(lost.length, 1);
    await clock.advance(2000);
    assert.equal(lost.length, 1);
  });

  it('is tried again only after a pause', async () => {
    const { server, clock, ping } = setUp();
    server.refuse = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    assert.equal(await codeOf(ping()), 'registry_unreachable');
    assert.equal(await codeOf(ping()), 'registry_unreachable');
    assert.equal(server.attempts, 1);
    server.refuse = undefined;
    await clock.advance(500);
    assert.equal(await ping(), 'OK');
  });

  it('is not waited for longer than its time', async () => {
    const { server, clock, ping } = setUp();
    server.silent = true;
    const code = codeOf(ping());
    await clock.advance(2000);
    assert.equal(await code, 'registry_timeout');
    assert.equal(clock.pendingTimers, 0);
  });

  it('is replaced after READONLY and refused credentials, and kept after other replies', async () => {
    const { server, ping } = setUp();
    const replies: readonly (readonly [string, string, boolean])[] = [
      ["READONLY You can't write against a read only replica.", 'registry_unavailable', true],
      ['NOAUTH Authentication required.', 'registry_auth', true],
      ['NOPERM this user has no permissions', 'registry_auth', true],
      ['LOADING Redis is loading the dataset in memory', 'registry_unavailable', false],
      ["OOM command not allowed when used memory > 'maxmemory'.", 'registry_unavailable', false],
      ['ERR Error running script: @user_script: -MISCONF no', 'registry_unavailable', false],
      ['NOREPLICAS Not enough good replicas to write.', 'registry_unavailable', false],
      ['BUSY Redis is busy running a script.', 'registry_unavailable', false],
      ['WRONGTYPE Operation against a key', 'registry_invalid', false],
    ];
    for (const [text, code, closed] of replies) {
      await ping();
      const { port } = server;
      port.answer = () => Promise.reject(replyError(text));
      assert.equal(await codeOf(ping()), code, text);
      assert.equal(port.closed, closed, text);
      port.answer = () => Promise.resolve('OK');
    }
  });

  it('tells once that it was lost, and ignores what an old one still says', async () => {
    const { server, lost, ping } = setUp();
    await ping();
    const old = server.port;
    old.events.lost(new Error('connection closed'));
    old.events.lost(new Error('connection closed'));
    assert.equal(lost.length, 1);
    await ping();
    old.events.lost(new Error('connection closed'));
    assert.equal(lost.length, 1);
    assert.equal(server.port.closed, false);
  });

  it('closes what is open or being opened, and stays closed', async () => {
    const open = setUp();
    await open.ping();
    await Promise.all([open.connection.close(), open.connection.close()]);
    assert.equal(open.server.port.closed, true);
    assert.equal(await codeOf(open.ping()), 'registry_unreachable');
    assert.deepEqual(open.lost, []);

    const opening = setUp();
    opening.server.silent = true;
    const code = codeOf(opening.ping());
    await settle();
    await opening.connection.close();
    assert.equal(await code, 'registry_unreachable');
    assert.equal(opening.clock.pendingTimers, 0);
  });
});
