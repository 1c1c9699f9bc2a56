// The description: a file that means the same, with origins and without secrets.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeConfig, formatDescribed, nestDescribed } from '../../src/config/describe.ts';
import type { LoadedConfig } from '../../src/config/load.ts';
import { home, load, loadFile } from './loading.ts';

const full = `
registry: redis://h:6379/2
ttl: 10s
zone: "1"
stateDir: none
ownHosts: [me.example]
suffixes: [.internal]
passthrough: true
waitFor: [db]
drainDelay: 0s
services:
  - name: payments
    port: 8080
    advertise: "[fd00::1]:80"
    serviceVersion: "true"
    tags: [canary, a:b]
    meta: { team: "x # y", empty: "" }
    healthHttp:
      - target: /health
        expectBody: "{ ok"
        expectHeaders: { X-App: "'" }
      - http://127.0.0.1:1/x
    healthTcp: [true, db:5432]
    healthCmd: sh -c 'echo "it''s"'
    healthGrpc: true
  - name: payments
    port: 8081
    id: b
    weight: 0
upstreams:
  orders: { listen: [7001, tcp:5433, /run/o.sock], retries: 0, replayMax: 1MiB, timeout: 0s }
  a.b: { connectTimeout: 2s, retryStatuses: [] }
defaults: { timeout: 20s, retryRatio: 0.5 }
`;

function textOf(loaded: LoadedConfig): string {
  return formatDescribed(describeConfig(loaded));
}

describe('describeConfig', () => {
  it('is a file that means the same', async (t) => {
    const loaded = await loadFile(t, full);
    const again = await loadFile(t, textOf(loaded));
    assert.deepEqual(again.config, loaded.config);
    const json = await loadFile(t, JSON.stringify(nestDescribed(describeConfig(loaded))));
    assert.deepEqual(json.config, loaded.config);
  });

  it('says who decided each value', async (t) => {
    const loaded = await loadFile(t, full, {
      environment: { ...home, OUTRIGGER_HEALTH_RISE: '7' },
      flags: { logLevel: 'warn', upstream: ['x=0'] },
    });
    const origins = Object.fromEntries(
      describeConfig(loaded).map(({ path, origin }) => [path.join('/'), origin.split(/ \//)[0]]),
    );
    const expected = {
      'services/0/name': 'file',
      'services/1/zone': 'file',
      'services/1/healthRise': 'variable OUTRIGGER_HEALTH_RISE',
      'services/1/tags': 'default',
      logLevel: 'flag --log-level',
      listen: 'default',
      heartbeat: 'default: a third of the ttl',
      'defaults/timeout': 'file',
      'defaults/retries': 'default',
      'upstreams/orders/retries': 'file',
      'upstreams/a.b/connectTimeout': 'file',
      'upstreams/x/listen': 'flag --upstream',
    };
    for (const [path, origin] of Object.entries(expected)) {
      assert.equal(origins[path], origin, path);
    }
  });

  it('writes one service at the top level, as flags give it', async () => {
    const flags = { name: 'a', port: '80' };
    const text = textOf(await load({ flags }));
    assert.match(text, /^name: a {2}# flag --name\nport: 80 {2}# flag --port\n# advertise: first/);
    assert.match(text, /^healthTcp: true {2}# default: the check when no other is given$/m);
  });

  it('tells no secret', async () => {
    const headers = ['authorization', 'X-Api-Key', 'Cookie'];
    for (const header of headers) {
      const probe = { target: '/h', headers: { [header]: 'hunter2' } };
      const loaded = await load({ flags: { name: 'a', port: '80', healthHttp: [probe] } });
      assert.ok(!textOf(loaded).includes('hunter2'), header);
    }
    const flags = {
      name: 'a',
      port: '80',
      registry: 'redis://me:hunter2@h/0?password=hunter2',
      healthHttp: ['http://me:hunter2@h/x?token=hunter2'],
      healthCmd: ['curl -H "Authorization: Bearer hunter2" http://h', 'check --password hunter2'],
    };
    const text = textOf(await load({ flags }));
    assert.ok(!text.includes('hunter2'), text);
  });
});
