import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { routesOf } from '../../../../src/registry/drivers/hydra/routes.ts';

const own = ['[get]/payments', '[get]/payments/', '[get]/payments/:rest'];

function routesWith(meta: Readonly<Record<string, string>>): ReturnType<typeof routesOf> {
  return routesOf({
    service: 'payments',
    id: 'a',
    host: 'h',
    port: 1,
    weight: 1,
    tags: [],
    meta,
  });
}

describe('the routes of a service', () => {
  it('are everything below its name, added to what is there', () => {
    const { patterns, extent } = routesWith({});
    assert.equal(extent, 'some');
    const methods = ['get', 'post', 'put', 'patch', 'delete'];
    const all = methods.map((method) => `[${method}]/payments/*rest`);
    assert.deepEqual(patterns, [...all, ...own]);
  });

  it('are those of the meta, in place of what is there', () => {
    const { patterns, extent } = routesWith({ 'hydra.routes': '[get]/v1/a/:id, [put]/v1/a' });
    assert.equal(extent, 'all');
    assert.deepEqual(patterns, ['[get]/v1/a/:id', '[put]/v1/a', ...own]);
  });

  it('are for all methods when none is given, and nothing else is a route', () => {
    const { patterns } = routesWith({ 'hydra.routes': '/v1 v2 [GET]/v3 [get]v4' });
    assert.equal(patterns.length, 5 + own.length);
    assert.ok(patterns.includes('[delete]/v1'));
    assert.equal(routesWith({ 'hydra.routes': 'nonsense' }).extent, 'some');
  });
});
