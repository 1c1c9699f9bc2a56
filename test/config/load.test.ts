// Loading: precedence, origins, and what each value becomes.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConfigSources } from '../../src/config/load.ts';
import { defaultPolicy } from '../../src/upstream/policy.ts';
import { home, load, loadFile } from './loading.ts';
import { temporaryFile } from './temporary-file.ts';

describe('loadConfig', () => {
  it('has a default for everything', async () => {
    const { config, origins, warnings } = await load({});
    assert.deepEqual(
      { ...config, policies: { ...config.policies } },
      {
        services: [],
        registries: [{ url: 'file:', registers: true, discovers: true }],
        combination: 'union',
        lease: {},
        listen: { host: '127.0.0.1', port: 4140 },
        admin: { host: '127.0.0.1', port: 4190 },
        upstreamListeners: [],
        policies: {},
        defaultPolicy,
        ownHosts: [],
        suffixes: ['.localhost', '.svc'],
        passthrough: false,
        fastLane: true,
        workers: 1,
        drain: { timeoutMs: 25_000 },
        log: { level: 'info', format: 'json' },
        command: [],
        waitFor: [],
        stateDirectory: '/home/someone/.local/state/outrigger',
      },
    );
    assert.equal(origins.size, 0);
    assert.deepEqual(warnings, []);
  });

  it('takes one service from flags', async () => {
    const flags = {
      name: 'Payments',
      port: '8080',
      advertise: '[fd00::1]:80',
      id: 'payments-1',
      tags: ['canary', 'blue'],
      meta: ['team=a=b', 'empty='],
      zone: 'eu-1',
      weight: '0',
      serviceVersion: '1.10',
      healthHttp: ['/health', 'https://127.0.0.1:1/x'],
      healthTcp: ['true', 'db:5432'],
      healthCmd: [`sh -c 'test -f "/a b"'`],
      healthGrpc: ['true', 'pay.v1.Payments'],
      healthInterval: '500ms',
      healthTimeout: '1.5s',
      healthRise: '1',
      healthFall: '5',
      healthStartPeriod: '1m',
    };
    const { config } = await load({ flags, command: ['node', 'app.js'] });
    const http = { type: 'http', headers: {}, expectHeaders: {} };
    assert.deepEqual(config.command, ['node', 'app.js']);
    assert.deepEqual(config.services, [
      {
        name: 'payments',
        port: 8080,
        advertise: { host: 'fd00::1', port: 80 },
        id: 'payments-1',
        tags: ['canary', 'blue'],
        meta: { team: 'a=b', empty: '' },
        zone: 'eu-1',
        weight: 0,
        version: '1.10',
        probes: [
          { ...http, target: '/health' },
          { ...http, target: 'https://127.0.0.1:1/x' },
          { type: 'tcp' },
          { type: 'tcp', target: { host: 'db', port: 5432 } },
          { type: 'command', argv: ['sh', '-c', 'test -f "/a b"'] },
          { type: 'grpc', service: '' },
          { type: 'grpc', service: 'pay.v1.Payments' },
        ],
        health: { intervalMs: 500, timeoutMs: 1500, rise: 1, fall: 5, startPeriodMs: 60_000 },
      },
    ]);
  });

  it('lets a flag beat a variable, a variable the file, the file the default', async (t) => {
    const text = 'ttl: 1s\ndrainTimeout: 2s\nlogLevel: debug\nadmin: 5000\n';
    const { config, origins } = await loadFile(t, text, {
      flags: { ttl: '30s' },
      environment: { ...home, OUTRIGGER_TTL: '20s', OUTRIGGER_DRAIN_TIMEOUT: '21s' },
    });
    assert.equal(config.lease.ttlMs, 30_000);
    assert.equal(config.drain.timeoutMs, 21_000);
    assert.equal(config.log.level, 'debug');
    assert.deepEqual(config.admin, { host: '127.0.0.1', port: 5000 });
    assert.equal(config.listen.port, 4140);
    assert.deepEqual(origins.get('ttl'), { kind: 'flag', name: '--ttl' });
    assert.equal(origins.get('drainTimeout')?.name, 'OUTRIGGER_DRAIN_TIMEOUT');
    assert.equal(origins.get('logLevel')?.kind, 'file');
    assert.equal(origins.get('listen'), undefined);
  });

  it('splits variables at commas, or at line ends when there are any', async () => {
    const { config } = await load({
      environment: {
        ...home,
        OUTRIGGER_NAME: 'a',
        OUTRIGGER_PORT: '80',
        OUTRIGGER_TAG: 'x, y,,z',
        OUTRIGGER_META: 'a=1,2\nb=3\n',
        OUTRIGGER_HEALTH_CMD: 'echo a,b',
        OUTRIGGER_ZONE: '',
        OUTRIGGER_PASSTHROUGH: 'yes',
      },
    });
    const [service] = config.services;
    assert.deepEqual(service?.tags, ['x', 'y', 'z']);
    assert.deepEqual(service.meta, { a: '1,2', b: '3' });
    assert.deepEqual(service.probes, [{ type: 'command', argv: ['echo', 'a,b'] }]);
    assert.equal(service.zone, undefined);
    assert.equal(config.passthrough, true);
  });

  it('takes several services from a file, with what they share from the top level', async (t) => {
    const text = `
zone: eu-1
healthInterval: 5s
services:
  - name: payments
    port: 8080
    tags: canary
    meta: { team: a }
    healthHttp:
      target: /health
      headers: { Authorization: Bearer x }
      expectBody: ok
      expectHeaders: { X-App: payments }
  - name: payments
    port: 8081
    zone: eu-2
    healthInterval: 1s
    healthTcp: true
`;
    const { config } = await loadFile(t, text);
    const [first, second] = config.services;
    assert.deepEqual(first?.probes, [
      {
        type: 'http',
        target: '/health',
        headers: { Authorization: 'Bearer x' },
        expectBody: 'ok',
        expectHeaders: { 'X-App': 'payments' },
      },
    ]);
    assert.deepEqual([first.zone, first.health.intervalMs, first.tags], ['eu-1', 5000, ['canary']]);
    assert.deepEqual([second?.zone, second?.health.intervalMs], ['eu-2', 1000]);
    assert.equal(second?.weight, 1);
  });

  it('lays the policy of a service over the defaults of the file', async (t) => {
    const text = `
defaults: { timeout: 20s, retries: 1 }
upstreams:
  Orders: { retries: 0, replayMax: 1MiB, retryStatuses: [502, 503], balance: random }
  slow: { listen: 7001 }
`;
    const { config } = await loadFile(t, text);
    const base = { ...defaultPolicy, timeoutMs: 20_000, retries: 1 };
    assert.deepEqual(config.defaultPolicy, base);
    assert.deepEqual(
      { ...config.policies },
      {
        orders: {
          ...base,
          retries: 0,
          replayBytesMax: 1_048_576,
          retryStatuses: [502, 503],
          balance: 'random',
        },
      },
    );
    assert.equal(config.policies['constructor'], undefined);
  });

  it('reads listeners of single services in every form; a flag replaces those of its service', async (t) => {
    const text = `
upstreams:
  a: { listen: [7001, "127.0.0.2:7001", /run/a.sock, "tcp:5433", "tcp:/run/t.sock"] }
  b: { listen: 7002 }
`;
    const on = (host: string, port: number) => ({ address: { host, port } });
    const http = { protocol: 'http' };
    const tcp = { protocol: 'tcp' };
    const upstream = ['b=0', 'tcp:c=5434', 'd=d.sock', 'e=[::1]:1', 'f=tcp:9'];
    const { config } = await loadFile(t, text, { flags: { upstream } });
    assert.deepEqual(config.upstreamListeners, [
      { service: 'b', ...http, on: on('127.0.0.1', 0) },
      { service: 'c', ...tcp, on: on('127.0.0.1', 5434) },
      { service: 'd', ...http, on: { path: 'd.sock' } },
      { service: 'e', ...http, on: on('::1', 1) },
      { service: 'f', ...tcp, on: on('127.0.0.1', 9) },
      { service: 'a', ...http, on: on('127.0.0.1', 7001) },
      { service: 'a', ...http, on: on('127.0.0.2', 7001) },
      { service: 'a', ...http, on: { path: '/run/a.sock' } },
      { service: 'a', ...tcp, on: on('127.0.0.1', 5433) },
      { service: 'a', ...tcp, on: { path: '/run/t.sock' } },
    ]);
  });

  it('derives the heartbeat from the ttl', async () => {
    const { config } = await load({ flags: { ttl: '10s' } });
    assert.deepEqual(config.lease, { ttlMs: 10_000, heartbeatMs: 3333 });
    const other = await load({ flags: { ttl: '10s', heartbeat: '5s' } });
    assert.equal(other.config.lease.heartbeatMs, 5000);
  });

  it('warns when a registry URL has times as well, which are beaten', async () => {
    const warningsOf = async (flags: ConfigSources['flags']) => (await load({ flags })).warnings;
    const registry = 'redis://:geheim@h?ttl=10s';
    assert.deepEqual(await warningsOf({ ttl: '20s', registry }), [
      '--ttl: beats the times in redis://:***@h?ttl=10s',
    ]);
    assert.deepEqual(await warningsOf({ heartbeat: '1s', registry: 'file:?heartbeat=2s' }), [
      '--heartbeat: beats the times in file:?heartbeat=2s',
    ]);
    assert.deepEqual(await warningsOf({ registry }), []);
    assert.deepEqual(await warningsOf({ ttl: '20s', registry: 'redis://h?db=1' }), []);
  });

  it('knows where to keep its state', async () => {
    const of = async (environment: ConfigSources['environment'], stateDir?: string) =>
      (await load({ environment, flags: { stateDir } })).config.stateDirectory;
    assert.equal(await of({ ...home, XDG_STATE_HOME: '/s' }), '/s/outrigger');
    assert.equal(
      await of({ ...home, XDG_STATE_HOME: 's' }),
      '/home/someone/.local/state/outrigger',
    );
    assert.equal(await of(home, '/var/x'), '/var/x');
    assert.equal(await of(home, 'none'), undefined);
    assert.equal(await of({}), undefined);
    assert.match((await load({ environment: {} })).warnings.join(), /no state directory/);
  });

  it('takes the admin URL that an agent gives to its app for no setting', async () => {
    const environment = { ...home, OUTRIGGER_ADMIN: 'http://127.0.0.1:5190' };
    const { config, origins, warnings } = await load({ environment });
    assert.equal(config.admin.port, 4190);
    assert.equal(origins.has('admin'), false);
    assert.deepEqual(warnings, []);
  });

  it('takes what Kubernetes tells of a Service called "outrigger" for no setting', async () => {
    const { config, origins, warnings } = await load({
      environment: {
        ...home,
        OUTRIGGER_SERVICE_HOST: '10.0.0.1',
        OUTRIGGER_SERVICE_PORT: '80',
        OUTRIGGER_SERVICE_PORT_HTTP: '80',
        OUTRIGGER_PORT: 'tcp://10.0.0.1:80',
        OUTRIGGER_PORT_80_TCP: 'tcp://10.0.0.1:80',
        OUTRIGGER_PORT_80_TCP_PROTO: 'tcp',
        OUTRIGGER_PORT_80_TCP_PORT: '80',
        OUTRIGGER_PORT_80_TCP_ADDR: '10.0.0.1',
      },
    });
    assert.deepEqual(config.services, []);
    assert.equal(origins.has('port'), false);
    assert.deepEqual(warnings, []);
  });

  it('warns of a variable that is nearly one, and of nobody to wait', async () => {
    const environment = { ...home, OUTRIGGER_ZONES: 'x', OUTRIGGER_PORT_4140_TCP: 'tcp://1' };
    const { warnings } = await load({ environment, flags: { waitFor: ['db'] } });
    assert.deepEqual(warnings, [
      'OUTRIGGER_ZONES: unknown variable; did you mean "OUTRIGGER_ZONE"?',
      '--wait-for: there is no app to start after --',
    ]);
  });

  it('logs for people on a terminal unless told otherwise', async () => {
    assert.equal((await load({ terminal: true })).config.log.format, 'pretty');
    const flags = { logFormat: 'json' };
    assert.equal((await load({ terminal: true, flags })).config.log.format, 'json');
  });

  it('reads JSON', async (t) => {
    const config = await temporaryFile(t, 'a.json', '\uFEFF{"name": "a", "port": 80}');
    assert.equal((await load({ flags: { config } })).config.services[0]?.port, 80);
  });
});
