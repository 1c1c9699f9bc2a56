// What the fast lane does when nobody calls.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock, type Clock } from '../../../../src/core/clock.ts';
import { eventually } from '../../../support/eventually.ts';
import { requestJson } from '../../../e2e/http-client.ts';
import { httpOrigin, startProxy } from '../../fixture.ts';

describe('the fast lane at rest', () => {
  it('has no timer when all connections have ended', async (test) => {
    const timers = new Set<object>();
    const clock: Clock = {
      ...systemClock,
      after: (delayMs, callback) => {
        const key = {};
        const timer = systemClock.after(delayMs, () => {
          timers.delete(key);
          callback();
        });
        timers.add(key);
        return {
          cancel: () => {
            timers.delete(key);
            timer.cancel();
          },
        };
      },
    };
    const origin = await httpOrigin(test, (_request, response) => response.end('ok'));
    const proxy = { fastLane: true };
    const { port } = await startProxy(test, { payments: [origin.port] }, { clock, proxy });
    const { status } = await requestJson({ port, path: '/payments/' });
    assert.equal(status, 200);
    assert.ok(timers.size > 0, 'it looks after the connection to the instance');
    origin.server.closeAllConnections();
    await eventually('it looks after nothing', () => timers.size === 0);
  });
});
