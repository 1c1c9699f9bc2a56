// What the proxy says when it cannot pass a call on.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { freePort } from '../support/free-port.ts';
import { Fleet } from './agent-process.ts';
import { requestJson } from './http-client.ts';

describe('a registry that has never answered', () => {
  for (const workers of [1, 2])
    it(`is named as the cause, without its password (workers: ${workers})`, async (t) => {
      const fleet = new Fleet(t);
      const registry = `redis://user:hidden@127.0.0.1:${await freePort()}`;
      const flags = ['--workers', String(workers)];
      const agent = await fleet.start({ registry, flags });
      const answer = await requestJson({ port: agent.proxyPort, path: '/payments/charge' });
      const body = answer.body as Record<string, unknown>;
      assert.equal(body['error'], 'no_instances');
      assert.match(String(body['message']), /the registry has not answered yet \(.*ECONNREFUSED/);
      assert.deepEqual(body['registry'], { state: 'unknown', ageMs: null });
      assert.doesNotMatch(JSON.stringify(body), /hidden/);
    });
});
