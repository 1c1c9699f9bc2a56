// The example of a configuration file: it is accepted, and means what its comments say.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { policyEntries } from '../../src/config/policy-keys.ts';
import { checkRegistry, loadRun, pathOf, textOf } from './support.ts';

const path = 'examples/outrigger.yaml';
const config = await loadRun(['run', '--config', pathOf(path)]);

describe('examples/outrigger.yaml', () => {
  it('describes three services with checks of every kind', () => {
    const { services } = config;
    assert.deepEqual(
      services.map(({ name, port }) => [name, port]),
      [
        ['shop', 8080],
        ['shop-admin', 8081],
        ['shop-prices', 9090],
      ],
    );
    assert.deepEqual(
      services.map(({ probes }) => probes.map(({ type }) => type)),
      [['http', 'http'], ['tcp', 'command'], ['grpc']],
    );
    assert.deepEqual(
      services.map(({ health }) => health.intervalMs),
      [2000, 2000, 5000],
    );
    assert.ok(services.every(({ zone }) => zone === 'eu-1'));
  });

  it('describes how others are called, on top of its own defaults', () => {
    const { policies, defaultPolicy, upstreamListeners } = config;
    assert.equal(defaultPolicy.responseTimeoutMs, 10_000);
    assert.deepEqual(Object.keys(policies).toSorted(), ['db', 'payments', 'reports', 'search']);
    assert.equal(policies['payments']?.responseTimeoutMs, 10_000);
    assert.equal(policies['search']?.responseTimeoutMs, 2000);
    assert.deepEqual(
      upstreamListeners.map(({ service, protocol }) => `${protocol}:${service}`),
      ['http:payments', 'http:search', 'http:search', 'tcp:db'],
    );
  });

  it('names every key of a policy but a few that are seldom touched', async () => {
    const text = await textOf(path);
    const unnamed = Object.keys(policyEntries).filter((key) => !text.includes(`  ${key}: `));
    assert.deepEqual(unnamed, ['retryRatio', 'retriesPerSecondMin', 'idleTimeout']);
  });

  it('shows a URL with a password file that is well-formed', async () => {
    const [, url = ''] = /kept in a file: (\S+)/.exec(await textOf(path)) ?? [];
    await assert.rejects(checkRegistry(url), /password-file: ENOENT/);
  });
});
