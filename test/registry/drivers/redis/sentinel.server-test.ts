// Fail-overs by Sentinel under live leases and a watcher.
import assert from 'node:assert/strict';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeCertificates, type Certificates } from '../../../servers/certificates.ts';
import {
  requireRedisSentinel,
  startRedisSentinel,
  type RedisSentinelGroup,
} from '../../../servers/redis-sentinel.ts';
import {
  doesEverything,
  eventuallyReads,
  Following,
  instance,
  leastPermissions,
  never,
  openDriver,
  refusesBadCertificates,
  tlsQuery,
} from './fixture.ts';
import { Scene } from './scene.ts';

const skip = requireRedisSentinel();
const registered = ['HLEN', 'sd:{payments}:i'];

describe('a fail-over by Sentinel', { skip, concurrency: 2 }, () => {
  const failOver = (
    what: string,
    cause: (group: RedisSentinelGroup) => Promise<number>,
    afterwards: (group: RedisSentinelGroup, former: number) => Promise<void> = async () =>
      undefined,
  ): void =>
    void it(what, async (t) => {
      const group = await startRedisSentinel({ password: 'right' });
      t.after(() => group.stop());
      await using scene = await Scene.set(group.url);
      const startedMs = performance.now();
      const former = await cause(group);
      await group.untilFailedOver(former);
      const failOverMs = Math.round(performance.now() - startedMs);
      const healedMs = await scene.heals(() => group.command(...registered));
      t.diagnostic(`fail-over ${failOverMs} ms, healed ${healedMs} ms later`);
      await scene.isUndisturbed();
      await afterwards(group, former);
    });

  failOver('after the primary was killed', (group) => group.killPrimary());

  failOver('that was ordered', (group) => group.failOver());

  failOver(
    'after the primary has hung, which comes back as a replica',
    async (group) => {
      const port = await group.primaryPort();
      group.pausePrimary(port);
      return port;
    },
    async (group, former) => {
      group.resume();
      await group.untilReplica(former);
    },
  );
});

describe('Sentinels', { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-sentinel-'));
  const passwordFile = join(directory, 'password');
  let group: RedisSentinelGroup;

  before(async () => {
    writeFileSync(passwordFile, 'watchful\n');
    group = await startRedisSentinel({ sentinelPassword: 'watchful' });
  });
  after(async () => {
    await group.stop();
    rmSync(directory, { recursive: true });
  });

  const query = (): string => `?sentinel-password-file=${passwordFile}`;

  it('have a password of their own, which is told apart from the primary’s', async () => {
    const driver = openDriver(`${group.url}${query()}`);
    await driver.acquire(instance('a1'), 10_000, never);
    await using following = await Following.start(driver);
    await driver.release(instance('a1'), never);
    await following.untilIds();
    await driver.close();
    const without = openDriver(group.url);
    const refused = { code: 'registry_auth', message: /^sentinel 127\.0\.0\.1:\d+: / };
    await assert.rejects(without.read('payments', never), refused);
    await without.close();
  });

  it('and a primary need no more permissions than the documentation names', async () => {
    await group.command(...leastPermissions, '+role');
    const watch = ['ACL', 'SETUSER', 'app', 'on', '>watchful', '-@all', '+@connection'];
    await group.commandSentinels(...watch, '+sentinel|get-master-addr-by-name');
    await doesEverything(
      `${group.urlWith('pw').replace(':pw@', 'app:pw@')}${query()}&sentinel-user=app`,
    );
  });

  it('do not know every name', async () => {
    const driver = openDriver(`${group.url.replace(/\/main$/, '/other')}${query()}`);
    const unknown = { code: 'registry_invalid', message: /no primary named "other"/ };
    await assert.rejects(driver.read('payments', never), unknown);
    await driver.close();
  });

  it('keep a driver in the database of the URL', async () => {
    const driver = openDriver(`${group.url}/3${query()}`);
    await driver.acquire(instance('d1'), 10_000, never);
    await eventuallyReads(driver, 'payments', ['d1']);
    assert.equal(await group.command(...registered), 0);
    await driver.close();
  });
});

describe('Sentinels and servers with TLS', { skip }, () => {
  let directory: string;
  let certificates: Certificates;
  let query: string;
  let group: RedisSentinelGroup;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'outrigger-sentinel-'));
    certificates = makeCertificates(directory);
    query = tlsQuery(certificates, 'ca', 'cert', 'key');
    group = await startRedisSentinel({ password: 'right', tls: certificates });
  });
  after(async () => {
    await group.stop();
    rmSync(directory, { recursive: true });
  });

  it('work with certificates that fit', async () => {
    await doesEverything(`${group.url}${query}`);
    await doesEverything(`${group.url}${query}&servername=localhost`);
  });

  it('refuse an unknown authority, another name and a missing client certificate', () =>
    refusesBadCertificates(group.url, certificates));

  it('fail over when the primary is killed', async (t) => {
    await using scene = await Scene.set(`${group.url}${query}`);
    await group.untilFailedOver(await group.killPrimary());
    t.diagnostic(`healed after ${await scene.heals(() => group.command(...registered))} ms`);
    await scene.isUndisturbed();
  });
});
