import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explain } from '../../src/cli/commands/explain.ts';
import { instances } from '../../src/cli/commands/instances.ts';
import { services } from '../../src/cli/commands/services.ts';
import { status } from '../../src/cli/commands/status.ts';
import { ConfigError, RegistryError } from '../../src/core/errors.ts';
import type { Driver } from '../../src/registry/driver.ts';
import { withAdmin } from '../support/admin.ts';
import { bench, nobody, run } from '../support/client-deps.ts';
import {
  fakeDrain,
  fakeExplanation,
  fakeInstance,
  fakeView,
  fakeWorkers,
} from '../support/fake-view.ts';

/** A registry that knows two instances of `payments`. */
function fakeDriver(closed: () => void): Driver {
  const unused = () => Promise.reject(new Error('not used'));
  return {
    url: 'fake:',
    capabilities: {
      ttlMs: 1,
      heartbeatMs: 1,
      propagationMs: 1,
      advertise: 'loopback',
      registers: true,
    },
    acquire: unused,
    renew: unused,
    release: unused,
    follow: unused,
    names: async () => ['payments', 'billing'],
    read: async (service) => ({
      instances: service === 'payments' ? [fakeInstance('payments-a')] : [],
      version: '1',
      malformed: 0,
    }),
    close: async () => closed(),
  };
}

describe('services', () => {
  it('lists the names', async () => {
    const text = await run(fakeView(), (deps) => services(deps, {}));
    assert.equal(
      text,
      [
        'SERVICE   INSTANCES  LIST  AGENT',
        'orders    -          -     registered here',
        'payments  2          live  in use',
        '',
      ].join('\n'),
    );
  });

  it('says what it cannot know', async () => {
    const names = () => Promise.reject(new RegistryError('registry_unreachable', 'refused'));
    const text = await run(fakeView({ names }), (deps) => services(deps, {}));
    assert.match(text, /^payments/m);
    assert.match(text, /^the registry cannot be asked: refused$/m);
    const view = fakeView({
      names: async () => [],
      localServices: () => [],
      usedServices: () => [],
    });
    assert.equal(await run(view, (deps) => services(deps, {})), 'no services\n');
  });

  it('prints the document of the API', async () => {
    const text = await run(fakeView(), (deps) => services(deps, { json: true }));
    assert.deepEqual(Object.keys(JSON.parse(text) as object), ['services', 'registryError']);
  });

  it('asks a registry without an agent, and closes it', async () => {
    let opened = '';
    let closes = 0;
    const openDriver = async (url: string) => {
      opened = url;
      return fakeDriver(() => closes++);
    };
    const deps = bench(nobody, { openDriver });
    await services(deps, { registry: 'fake:x' });
    assert.match(deps.text(), /^billing .*\npayments /m);
    assert.deepEqual([opened, closes], ['fake:x', 1]);
  });
});

describe('instances', () => {
  it('lists what the registry knows and how the agent sees it', async () => {
    const text = await run(fakeView(), (deps) => instances(deps, 'Payments', {}));
    const lines = text.split('\n').map((line) => line.split(/ {2,}/));
    const head = 'INSTANCE,ADDRESS,WEIGHT,TAGS,ZONE,VERSION,STATE,LATENCY,IN FLIGHT';
    assert.equal(lines[0]?.join(), head);
    assert.equal(lines[1]?.join(), 'payments-a,10.0.0.1:97,1,v2,eu-1,-,healthy,3.3ms,0');
    assert.match(lines[2]?.join() ?? '', /,ejected for 4s \(refused\),/);
  });

  it('lists the last known ones, and says so, while the registry cannot be asked', async () => {
    const view = fakeView({
      instances: () => Promise.reject(new RegistryError('registry_timeout', 'too slow')),
    });
    const text = await run(view, (deps) => instances(deps, 'payments', {}));
    assert.match(text, /^payments-a /m);
    assert.match(text, /^the registry cannot be asked: too slow; the list is 1s old$/m);
  });

  it('says which are held and what was ignored', async () => {
    const view = fakeView({
      instances: async () => ({ instances: [fakeInstance('payments-a')], malformed: 3 }),
    });
    const text = await run(view, (deps) => instances(deps, 'payments', {}));
    assert.match(text, /^1 of these are no longer in the registry's list$/m);
    assert.match(text, /^3 records of the registry are no instances$/m);
  });

  it('suggests the nearest name, with an agent or without', async () => {
    const expected = {
      name: 'RuntimeError',
      message: 'no service is called "paymnts"; did you mean "payments"?',
    };
    await assert.rejects(
      run(fakeView(), (deps) => instances(deps, 'paymnts', {})),
      expected,
    );
    let closes = 0;
    const deps = bench(nobody, { openDriver: async () => fakeDriver(() => closes++) });
    await assert.rejects(instances(deps, 'paymnts', { registry: 'fake:' }), expected);
    assert.equal(closes, 1);
    await instances(deps, 'payments', { registry: 'fake:' });
    assert.match(deps.text(), /^payments-a .*not in use/m);
    await instances(deps, 'billing', { registry: 'fake:' });
    assert.match(deps.text(), /^billing has no instance$/m);
  });

  it('is a usage error for what can be no name', async () => {
    await assert.rejects(instances(bench(nobody), '../x', {}), ConfigError);
  });

  it('lets no record reach into the terminal', async () => {
    const odd = {
      ...fakeInstance('payments-a'),
      version: '\u001b[2J\n\u202eoops',
      zone: '\u009b1m',
    };
    const view = fakeView({ instances: async () => ({ instances: [odd], malformed: 0 }) });
    const text = await run(view, (deps) => instances(deps, 'payments', {}));
    assert.doesNotMatch(text, /[\u001b\u009b\u202e]/);
    assert.match(text, /\?\[2J\?\?oops/);
  });
});

describe('explain', () => {
  it('says who would be called, and why no other', async () => {
    const text = await run(fakeView(), (deps) => explain(deps, 'payments', {}));
    assert.equal(
      text,
      [
        'payments: would call payments-a at 10.0.0.1:97',
        'list live, confirmed 1s ago; balancing p2c',
        '',
        'INSTANCE    ADDRESS      VERDICT   BECAUSE',
        'payments-a  10.0.0.1:97  chosen    chosen by p2c',
        'payments-b  10.0.0.1:98  excluded  ejected (refused), next probe in 4000 ms',
        '',
      ].join('\n'),
    );
  });

  it('names the reason code of a call that would fail', async () => {
    const view = fakeView({
      explain: async () => ({
        ...fakeExplanation(),
        chosen: null,
        reason: 'no_instances',
        summary: 'would fail: the list is empty',
        instances: [],
      }),
    });
    const text = await run(view, (deps) => explain(deps, 'payments', {}));
    assert.match(text, /^payments: would fail: the list is empty \(no_instances\)$/m);
  });

  it('passes the tag', async () => {
    const options = { tag: 'v2 &x=y', json: true };
    const text = await run(fakeView(), (deps) => explain(deps, 'payments', options));
    const { tag } = JSON.parse(text) as { tag: string };
    assert.equal(tag, 'v2 &x=y');
  });
});

describe('status', () => {
  it('shows agent, registration and calls', async () => {
    const text = await run(fakeView(), (deps) => status(deps, {}));
    assert.match(text, /^orders {2}outrigger 0\.1\.0, pid 4711, up 3m 12s, running, ready$/m);
    assert.match(text, /^registry {2}redis:\/\/:\*\*\*@127\.0\.0\.1:6379\/0 {2}up for 3m 10s$/m);
    assert.match(
      text,
      /^orders +orders-1 +10\.0\.0\.9:8080 +healthy +active +60 ok, 2 failed +1 +redis:$/m,
    );
    assert.match(text, /^payments +live 1s +1 in, 1 out +6 +1 +2 +4 +≤5ms +-$/m);
    assert.doesNotMatch(text, / $/m);
  });

  it('shows why the agent is not ready and how far its drain is', async () => {
    const view = fakeView({
      life: () => fakeDrain('lame_duck'),
      ready: () => ({ ready: false, reasons: ['the agent is draining'] }),
      registries: () => [
        {
          url: 'file:/x',
          registers: false,
          discovers: true,
          state: 'down',
          stateAgeMs: 90_061_000,
          lastError: { code: 'registry_unreachable', message: 'no such directory' },
        },
      ],
      localServices: () => [],
      usedServices: () => [],
    });
    const text = await run(view, (deps) => status(deps, {}));
    assert.match(text, /not ready: the agent is draining$/m);
    assert.match(text, /down for 1d 1h, discovers only: no such directory$/m);
    assert.match(text, /^draining \(admin\) for 1s of 25s$/m);
    assert.match(text, /^lame_duck +active +1s$/m);
  });

  it('fails with the reasons when it is asked whether the agent is ready and it is not', async () => {
    assert.equal(await run(fakeView(), (deps) => status(deps, { ready: true })), 'ready\n');
    const reasons = ['orders is not healthy', 'the agent is draining\u001b[2J'];
    const view = fakeView({ ready: () => ({ ready: false, reasons }) });
    await withAdmin(view, async ({ address }) => {
      const failure = {
        name: 'RuntimeError',
        message: 'not ready: orders is not healthy; the agent is draining?[2J',
      };
      const deps = bench(address);
      await assert.rejects(status(deps, { ready: true }), failure);
      assert.equal(deps.text(), '');
      await assert.rejects(status(deps, { ready: true, json: true }), failure);
      assert.deepEqual(JSON.parse(deps.text()), { ready: false, reasons });
    });
    const none = status(bench(nobody), { ready: true });
    await assert.rejects(none, { name: 'RuntimeError', message: /^no agent answers at / });
  });

  it('says how many workers serve, where there are any', async () => {
    const text = await run(fakeView({ workers: fakeWorkers }), (deps) => status(deps, {}));
    assert.match(text, /^workers {3}1 of 2 serve, 1 lost since the start$/m);
    assert.doesNotMatch(await run(fakeView(), (deps) => status(deps, {})), /workers/);
  });

  it('has colours only where they may be used', async () => {
    assert.doesNotMatch(await run(fakeView(), (deps) => status(deps, {})), /\u001b/);
    let text = '';
    const output = { write: (more: string) => void (text += more), color: true };
    await run(fakeView(), (deps) => status(deps, {}), { output });
    assert.match(text, /\u001b\[32mready\u001b\[0m/);
  });
});
