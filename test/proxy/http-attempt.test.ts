import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { HttpAttempt, type AttemptEvents } from '../../src/proxy/carriers/http-attempt.ts';
import { EndpointPools } from '../../src/proxy/endpoint-pools.ts';
import { Exchange } from '../../src/proxy/exchange.ts';
import { eventually } from '../support/eventually.ts';
import { instance, UpstreamFixture } from '../support/upstream-fixture.ts';
import { byteOrigin } from './fixture.ts';

/** One attempt for a client that takes a single piece at a time, and each only when told. */
async function attemptOn(test: TestContext, port: number) {
  const { upstream } = new UpstreamFixture([instance('i1', { port })]);
  const exchange = new Exchange(
    upstream,
    { method: 'GET', idempotencyKey: false, deadlineAtMs: Infinity },
    systemClock,
  );
  const step = exchange.next();
  assert.equal(step.kind, 'attempt');
  const pools = new EndpointPools({ clock: systemClock, isReservedPort: () => false });
  test.after(() => {
    pools.close();
  });
  await pools.load();
  const pool = pools.of(step.endpoint, upstream.policy);
  const told: string[] = [];
  let bytes = 0;
  const events: AttemptEvents = {
    interim: () => undefined,
    head: ({ status }) => {
      told.push(`head ${status}`);
      return 'pass';
    },
    data: (chunk) => {
      bytes += chunk.length;
      return false;
    },
    ended: () => told.push('ended'),
    broken: () => told.push('broken'),
    failed: (kind) => told.push(`failed ${kind}`),
    unsent: () => told.push('unsent'),
  };
  const attempt = await new Promise<HttpAttempt>((resolve, reject) => {
    pool.connect({
      connected: (connection) => {
        const giveBack = (): void => undefined;
        const deps = {
          exchange,
          clock: systemClock,
          connection,
          body: undefined,
          events,
          giveBack,
        };
        resolve(new HttpAttempt(deps));
      },
      failed: (_kind, cause) => {
        reject(new Error(cause));
      },
    });
  });
  attempt.start({ method: 'GET', path: '/', headers: ['Host', 'payments'] });
  return { attempt, told, taken: () => bytes };
}

describe('an attempt whose client holds it back', () => {
  const body = 'x'.repeat(20_000);
  const endings: readonly (readonly [name: string, head: string, outcome: string])[] = [
    ['in order', '', 'ended'],
    ['before its length is reached', 'Content-Length: 40000\r\n', 'broken'],
    ['with a reset', '', 'broken'],
  ];
  for (const [name, head, outcome] of endings)
    it(`survives an instance that closes meanwhile, ${name}`, async (test) => {
      const reset = name === 'with a reset';
      const origin = await byteOrigin(test, (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\n${head}\r\n${body}`);
        if (!reset) socket.end();
      });
      const { attempt, told, taken } = await attemptOn(test, origin.port);
      await eventually('the first piece is taken', () => taken() > 0);
      if (reset) origin.sockets[0]?.resetAndDestroy();
      // Each round lets one more piece through while the instance's end is already known.
      await eventually('it is over', () => {
        attempt.flow();
        return told.length > 1;
      });
      assert.deepEqual(told, ['head 200', outcome]);
      if (outcome === 'ended') assert.equal(taken(), body.length);
    });
});
