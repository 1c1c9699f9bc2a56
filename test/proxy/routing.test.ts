import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Names, type NamesOptions } from '../../src/proxy/routing/names.ts';
import type { Addressed } from '../../src/proxy/routing/route.ts';
import { route } from '../../src/proxy/routing/router.ts';

const known = new Set(['payments', 'a.b', 'orders']);

function decide(request: Partial<Addressed>, options: Partial<NamesOptions> = {}): string {
  const names = new Names(
    { knows: (service) => known.has(service) },
    { suffixes: ['.localhost', '.svc'], ownHosts: ['Agent'], passthrough: false, ...options },
  );
  const decided = route(
    {
      method: 'GET',
      target: '/x',
      rawHeaders: [],
      host: 'localhost:4140',
      listenerService: undefined,
      arrival: { localAddress: '::ffff:10.1.1.1', localPort: 4140 },
      ...request,
    },
    names,
  );
  if (decided.kind === 'refusal') return decided.reason;
  const { mode, path } = decided;
  if (decided.kind === 'external')
    return `${mode} external ${decided.address.host}:${decided.address.port} ${path}`;
  const tag = decided.tag === undefined ? '' : `${decided.tag}@`;
  return `${mode} ${tag}${decided.service} ${path}`;
}

const header = (...rawHeaders: string[]): Partial<Addressed> => ({ rawHeaders });

describe('who is called', () => {
  const table: readonly (readonly [request: Partial<Addressed>, decided: string])[] = [
    [{ host: 'payments' }, 'host payments /x'],
    [{ host: 'Payments.LOCALHOST.:80' }, 'host payments /x'],
    [{ host: 'unheard-of' }, 'host unheard-of /x'],
    [{ host: 'v2.payments.localhost' }, 'host v2@payments /x'],
    [{ host: 'v2.payments' }, 'host v2@payments /x'],
    [{ host: 'v2.unheard-of.svc' }, 'host v2@unheard-of /x'],
    [{ host: 'a.b' }, 'host a.b /x'],
    [{ host: 'c.a.b.svc' }, 'host c@a.b /x'],
    [{ host: 'example.com' }, 'not_a_service'],
    [{ host: '10.0.0.9' }, 'not_a_service'],
    [{ host: '[2001:db8::1]:80' }, 'not_a_service'],
    [{ host: '169.254.169.254' }, 'not_a_service'],
    [{ target: '/payments' }, 'path payments /'],
    [{ target: '/payments?q=/a' }, 'path payments /?q=/a'],
    [{ target: '/PAYMENTS//a/../b/%2e%2e%2fc?d' }, 'path payments //a/../b/%2e%2e%2fc?d'],
    [{ target: '/v2.payments/a' }, 'path v2@payments /a'],
    [{ target: '/payments/a', host: undefined }, 'path payments /a'],
    [{ target: '/payments/a', host: '10.1.1.1:4140' }, 'path payments /a'],
    [{ target: '/payments/a', host: '[::1]' }, 'path payments /a'],
    [{ target: '/payments/a', host: 'agent' }, 'path payments /a'],
    [{ target: '/' }, 'not_a_service'],
    [{ target: '//payments/a' }, 'not_a_service'],
    [{ target: '/../payments' }, 'not_a_service'],
    [{ target: '/%70ayments/a' }, 'not_a_service'],
    [header('Outrigger-Service', 'Payments'), 'header payments /x'],
    [header('DAPR-app-id', 'v2.payments'), 'header v2@payments /x'],
    [{ ...header('outrigger-service', 'orders'), host: 'payments' }, 'header orders /x'],
    [header('outrigger-service', 'a', 'dapr-app-id', 'b'), 'bad_request'],
    [header('outrigger-service', 'no such/name'), 'bad_request'],
    [header('outrigger-service', ''), 'bad_request'],
    [{ target: 'http://payments', host: 'payments' }, 'absolute payments /'],
    [{ target: 'HTTP://Payments?a', host: 'payments' }, 'absolute payments /?a'],
    [{ target: 'http://example.com/', host: 'example.com' }, 'not_a_service'],
    [{ target: 'http://localhost:4140/payments/a' }, 'absolute path'],
    [{ target: 'http://localhost:4190/payments/a' }, 'not_a_service'],
    [{ target: 'http://127.1.2.3/payments/a' }, 'not_a_service'],
    [{ target: 'http://[::ffff:7f00:1]:4190/' }, 'not_a_service'],
    [{ method: 'CONNECT', target: 'payments:80' }, 'connect payments '],
    [{ method: 'CONNECT', target: 'v2.payments.svc:1' }, 'connect v2@payments '],
    [{ method: 'CONNECT', target: 'payments' }, 'bad_request'],
    [{ method: 'CONNECT', target: 'localhost:4190' }, 'not_a_service'],
    [{ method: 'CONNECT', target: '10.1.1.1:22' }, 'not_a_service'],
    [{ method: 'CONNECT', target: 'example.com:443' }, 'not_a_service'],
    [{ listenerService: 'db', target: 'http://payments/a' }, 'listener db /a'],
    [{ listenerService: 'db', ...header('outrigger-service', 'orders') }, 'listener db /x'],
  ];
  for (const [request, decided] of table)
    it(`${JSON.stringify(request)}: ${decided}`, () => {
      assert.equal(decide(request), decided === 'absolute path' ? 'path payments /a' : decided);
    });

  it('with passthrough, hosts of the network are called, and never this one', () => {
    const through = (request: Partial<Addressed>): string => decide(request, { passthrough: true });
    const absolute = { target: 'http://example.com/a', host: 'example.com' };
    assert.equal(through(absolute), 'absolute external example.com:80 /a');
    assert.equal(through({ host: 'example.com:81' }), 'host external example.com:81 /x');
    const tunnel = { method: 'CONNECT', target: '192.0.2.1:443' };
    assert.equal(through(tunnel), 'connect external 192.0.2.1:443 ');
    assert.equal(through({ host: 'payments' }), 'host payments /x');
    for (const host of ['localhost', '127.9.9.9', '0.0.0.0', '[::1]', '[::]', '10.1.1.1', 'agent'])
      assert.equal(
        through({ target: `http://${host}:4190/`, host: `${host}:4190` }),
        'not_a_service',
      );
  });
});
