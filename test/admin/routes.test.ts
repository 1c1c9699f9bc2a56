import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { ask, parseReply, withAdmin } from '../support/admin.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { fakeDrain, fakeView, fakeWorkers } from '../support/fake-view.ts';
import { eventually } from '../support/eventually.ts';

/** All paths of keys in a value, with `[]` for elements: the shape of a document. */
function shapeOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value))
    return [...new Set(value.flatMap((item) => shapeOf(item, `${path}[]`)))];
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, item]) => shapeOf(item, `${path}.${key}`));
}

describe('the endpoints', () => {
  it('answers /livez and /readyz, with reasons and 503 when not ready', async () => {
    let reasons: string[] = [];
    const view = fakeView({ ready: () => ({ ready: reasons.length === 0, reasons }) });
    await withAdmin(view, async ({ address }) => {
      const live = await ask(address, 'GET /livez');
      assert.deepEqual([live.status, parseReply(live)], [200, { live: true }]);
      const ready = await ask(address, 'GET /readyz');
      assert.deepEqual([ready.status, parseReply(ready)], [200, { ready: true, reasons: [] }]);
      reasons = ['the agent is draining'];
      const not = await ask(address, 'GET /readyz');
      assert.deepEqual([not.status, parseReply(not)], [503, { ready: false, reasons }]);
    });
  });

  it('answers /v1/status with exactly the documented keys', async () => {
    const view = fakeView({ life: () => fakeDrain('lame_duck'), workers: fakeWorkers });
    await withAdmin(view, async ({ address }) => {
      const reply = await ask(address, 'GET /v1/status');
      assert.equal(reply.status, 200);
      assert.deepEqual(shapeOf(parseReply(reply)), [
        ...['name', 'version', 'pid', 'startedAt', 'uptimeMs', 'proxyUrl', 'adminUrl'].map(
          (key) => `.agent.${key}`,
        ),
        '.life.state',
        '.life.drain.cause',
        '.life.drain.elapsedMs',
        '.life.drain.budgetMs',
        '.life.drain.phases[].phase',
        '.life.drain.phases[].state',
        '.life.drain.phases[].outcome',
        '.life.drain.phases[].durationMs',
        '.readiness.ready',
        ...['url', 'registers', 'discovers', 'state', 'stateAgeMs'].map(
          (key) => `.registries[].${key}`,
        ),
        '.registries[].lastError.code',
        '.registries[].lastError.message',
        '.local[].service',
        '.local[].id',
        '.local[].address',
        '.local[].health.state',
        ...['registry', 'state', 'lastError', 'renewalsOk', 'renewalsFailed', 'losses'].map(
          (key) => `.local[].leases[].${key}`,
        ),
        ...['wanted', 'lost', 'endedCpuMs'].map((key) => `.workers.${key}`),
        ...['pid', 'state', 'connections', 'requests', 'inFlight'].map(
          (key) => `.workers.processes[].${key}`,
        ),
        ...['residentBytes', 'heapUsedBytes', 'cpuMs', 'eventLoopLagMs'].map(
          (key) => `.workers.processes[].${key}`,
        ),
        '.services[].service',
        '.services[].known',
        '.services[].balance',
        ...snapshotKeys('.services[].snapshot'),
        ...['healthy', 'ejected', 'probing'].map((key) => `.services[].endpoints.${key}`),
        ...trafficKeys('.services[].traffic'),
      ]);
    });
  });

  it('answers with the keys that docs/admin-api.md shows', async () => {
    const page = await readFile(new URL('../../docs/admin-api.md', import.meta.url), 'utf8');
    const examples = page.matchAll(/^## `GET (\/v1\/[^`]*)`$[^]*?^```json\n([^]*?)^```$/gm);
    const view = fakeView({
      life: () => fakeDrain('lame_duck'),
      ready: () => ({ ready: false, reasons: ['the agent is draining'] }),
      workers: fakeWorkers,
    });
    const checked: string[] = [];
    await withAdmin(view, async ({ address }) => {
      for (const [, path = '', example = ''] of examples) {
        const reply = await ask(address, `GET ${path.replace(':name', 'payments')}`);
        assert.deepEqual(shapeOf(JSON.parse(example)), shapeOf(parseReply(reply)), path);
        checked.push(path);
      }
    });
    const paths = ['/v1/status', '/v1/services', '/v1/services/:name', '/v1/explain/:name'];
    assert.deepEqual(checked, paths);
  });

  it('answers /v1/services with the names of the registry, the registrations and the calls', async () => {
    const view = fakeView({ names: async () => ['payments', 'billing'] });
    await withAdmin(view, async ({ address }) => {
      assert.deepEqual(parseReply(await ask(address, 'GET /v1/services')), {
        services: [
          { name: 'billing', local: false, inUse: false, instances: null, state: null },
          { name: 'orders', local: true, inUse: false, instances: null, state: null },
          { name: 'payments', local: false, inUse: true, instances: 2, state: 'live' },
        ],
        registryError: null,
      });
    });
  });

  it('answers /v1/services/:name with exactly the documented keys, whatever the case of the name', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const reply = await ask(address, 'GET /v1/services/Payments');
      assert.equal(reply.status, 200);
      const instanceKeys = ['id', 'address', 'weight', 'tags[]', 'meta.team', 'zone', 'version'];
      const endpointKeys = ['id', 'address', 'weight', 'tags[]', 'zone', 'version', 'state'];
      const countKeys = ['outstanding', 'latencyMs', 'attempts', 'failures', 'ejections'];
      assert.deepEqual(shapeOf(parseReply(reply)), [
        '.service',
        ...[...instanceKeys, 'startedAt'].map((key) => `.instances[].${key}`),
        '.malformed',
        '.registryError',
        '.use.service',
        '.use.known',
        '.use.balance',
        ...snapshotKeys('.use.snapshot'),
        ...[...endpointKeys, 'ejectedForMs', 'cause', ...countKeys].map(
          (key) => `.use.endpoints[].${key}`,
        ),
        ...trafficKeys('.use.traffic'),
      ]);
    });
  });

  it('keeps every key when there is nothing to say', async () => {
    const view = fakeView({
      usedServices: () => [],
      instances: async () => ({
        instances: [
          { service: 'billing', id: 'b', host: '::1', port: 80, weight: 1, tags: [], meta: {} },
        ],
        malformed: 2,
      }),
    });
    await withAdmin(view, async ({ address }) => {
      assert.deepEqual(parseReply(await ask(address, 'GET /v1/services/billing')), {
        service: 'billing',
        instances: [
          {
            id: 'b',
            address: '[::1]:80',
            weight: 1,
            tags: [],
            meta: {},
            zone: null,
            version: null,
            startedAt: null,
          },
        ],
        malformed: 2,
        registryError: null,
        use: null,
      });
    });
  });

  it('gives quantiles as bucket bounds, and null above the last', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const document = parseReply(await ask(address, 'GET /v1/services/payments'));
      const { use } = document as { use: { traffic: { latency: unknown } } };
      const meanMs = (0.5 + 3 + 3 + 7 + 40 + 20_000) / 6;
      assert.deepEqual(use.traffic.latency, { count: 6, meanMs, p50Ms: 5, p99Ms: null });
    });
  });

  it('passes the tag to the explanation and returns it', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const reply = await ask(address, 'GET /v1/explain/payments?tag=v2');
      assert.equal(reply.status, 200);
      const document = parseReply(reply) as Record<string, unknown>;
      assert.equal(document['tag'], 'v2');
      assert.deepEqual(shapeOf(document), [
        ...['.service', '.tag', '.balance'],
        ...snapshotKeys('.snapshot'),
        ...['.chosen', '.reason', '.summary'],
        ...['id', 'address', 'verdict', 'because'].map((key) => `.instances[].${key}`),
      ]);
      const tooLong = await ask(address, `GET /v1/explain/payments?tag=${'x'.repeat(3000)}`);
      assert.equal(tooLong.status, 400);
    });
  });

  it('drains by POST only', async () => {
    let drains = 0;
    const view = fakeView({
      drain: () => drains++,
      life: () => (drains === 0 ? { state: 'running', drain: null } : fakeDrain('deregister')),
    });
    await withAdmin(view, async ({ address }) => {
      const get = await ask(address, 'GET /v1/drain');
      assert.equal(get.status, 405);
      assert.match(get.head, /^allow: POST$/im);
      assert.equal(drains, 0);
      const post = await ask(address, 'POST /v1/drain');
      assert.equal(post.status, 202);
      assert.deepEqual(parseReply(post), { life: fakeDrain('deregister') });
      assert.equal(drains, 1);
    });
  });

  it('refuses other methods elsewhere, and names those allowed', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
        const reply = await ask(address, `${method} /v1/status`);
        assert.equal(reply.status, 405, method);
        assert.match(reply.head, /^allow: GET, HEAD$/im);
      }
    });
  });

  it('lists the endpoints at /, and in the answer to an unknown path', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const index = await ask(address, 'GET /');
      assert.match(index.head, /^content-type: text\/plain; charset=utf-8$/im);
      assert.match(index.body, /^POST {2}\/v1\/drain +\S/m);
      for (const path of ['/v1/nothing', '/v1/services/a/b', '//livez', '/livez/', '/v1', '*']) {
        const reply = await ask(address, `GET ${path}`);
        assert.equal(reply.status, 404, path);
        const { error } = parseReply(reply) as { error: { code: string; choices: string[] } };
        assert.equal(error.code, 'not_found');
        assert.ok(error.choices.includes('/v1/explain/:name'));
      }
    });
  });

  it('answers HEAD with the head alone', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const get = await ask(address, 'GET /v1/status');
      const head = await ask(address, 'HEAD /v1/status');
      assert.deepEqual([head.status, head.body], [200, '']);
      const length = /^content-length: \d+$/im;
      assert.equal(length.exec(head.head)?.[0], length.exec(get.head)?.[0]);
    });
  });

  it('sends JSON that ends with a newline and is not kept by caches', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const reply = await ask(address, 'GET /v1/status');
      assert.match(reply.head, /^content-type: application\/json; charset=utf-8$/im);
      assert.match(reply.head, /^cache-control: no-store$/im);
      assert.match(reply.body, /}\n$/);
    });
  });
});

describe('a service that is not known', () => {
  it('is answered with 404 and the nearest name', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      for (const path of ['/v1/services/paymnts', '/v1/explain/paymnts']) {
        const reply = await ask(address, `GET ${path}`);
        assert.equal(reply.status, 404);
        assert.deepEqual(parseReply(reply), {
          error: {
            code: 'no_such_service',
            message: 'no service is called "paymnts"; did you mean "payments"?',
            choices: ['payments'],
          },
        });
      }
    });
  });

  it('is answered with 400 when its name can be none', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      for (const name of ['', '-x', '%2e%2e', '__proto__', 'a b'.replace(' ', '%20')]) {
        assert.equal((await ask(address, `GET /v1/services/${name}`)).status, 400, name);
      }
    });
  });

  it('is not one that has a name but no instances', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const reply = await ask(address, 'GET /v1/services/orders');
      assert.equal(reply.status, 200);
    });
  });
});

describe('a registry that cannot be asked', () => {
  const down = () => Promise.reject(new RegistryError('registry_unreachable', 'refused'));
  const registryError = { code: 'registry_unreachable', message: 'refused' };

  it('takes nothing away from what the agent knows itself', async () => {
    const view = fakeView({ names: down, instances: down });
    await withAdmin(view, async ({ address }) => {
      const services = parseReply(await ask(address, 'GET /v1/services')) as {
        services: { name: string }[];
        registryError: unknown;
      };
      assert.deepEqual(
        services.services.map(({ name }) => name),
        ['orders', 'payments'],
      );
      assert.deepEqual(services.registryError, registryError);
      const service = parseReply(await ask(address, 'GET /v1/services/payments')) as {
        use: { endpoints: unknown[] };
        registryError: unknown;
      };
      assert.equal(service.use.endpoints.length, 2);
      assert.deepEqual(service.registryError, registryError);
    });
  });

  it('is a 503 for a service that is not in use', async () => {
    const view = fakeView({ names: down, instances: down, explain: down });
    await withAdmin(view, async ({ address }) => {
      for (const path of ['/v1/services/billing', '/v1/explain/billing']) {
        const reply = await ask(address, `GET ${path}`);
        assert.equal(reply.status, 503);
        const { error } = parseReply(reply) as { error: { code: string } };
        assert.equal(error.code, 'registry_unreachable');
      }
    });
  });

  it('is given up after a bounded time', async () => {
    const clock = new FakeClock();
    const view = fakeView({
      names: (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    });
    await withAdmin(
      view,
      async ({ address }) => {
        const pending = ask(address, 'GET /v1/services');
        await eventually('the request is being answered', () => clock.pendingTimers === 1);
        await clock.advance(60_000);
        const document = parseReply(await pending) as { registryError: { code: string } };
        assert.equal(document.registryError.code, 'registry_timeout');
        assert.equal(clock.pendingTimers, 0);
      },
      { clock },
    );
  });

  it('is not asked any longer when the caller has gone', async () => {
    let signal: AbortSignal | undefined;
    const view = fakeView({
      names: (given) =>
        new Promise((_, reject) => {
          signal = given;
          given.addEventListener('abort', () => reject(given.reason as Error));
        }),
    });
    await withAdmin(view, async ({ address }) => {
      const abort = new AbortController();
      const url = `http://127.0.0.1:${address.port}/v1/services`;
      const pending = fetch(url, { signal: abort.signal });
      await eventually('the view is asked', () => signal !== undefined);
      abort.abort();
      await assert.rejects(pending);
      await eventually('the view is told', () => signal?.aborted);
    });
  });
});

function snapshotKeys(path: string): string[] {
  return ['state', 'ageMs', 'instances', 'held', 'malformed'].map((key) => `${path}.${key}`);
}

function trafficKeys(path: string): string[] {
  const counts = ['attempts', 'retries', 'ejections', 'retryBudget', 'inFlight'];
  return [
    ...['code', 'reason', 'count'].map((key) => `${path}.requests[].${key}`),
    ...counts.map((key) => `${path}.${key}`),
    ...['count', 'meanMs', 'p50Ms', 'p99Ms'].map((key) => `${path}.latency.${key}`),
  ];
}
