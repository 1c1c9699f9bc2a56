import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import type { Instance } from '../../../../src/core/instance.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import type { Driver, Reading } from '../../../../src/registry/driver.ts';
import { openConsul } from '../../../../src/registry/drivers/consul/driver.ts';
import { eventually } from '../../../support/eventually.ts';
import { FakeAgent, type FakeAnswer } from './fake-agent.ts';

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const instance: Instance = {
  service: 'web',
  id: 'Web/1',
  host: '10.0.0.1',
  port: 80,
  weight: 1,
  tags: [],
  meta: {},
};
const entry = { Node: { Node: 'n' }, Service: { ID: 'a', Address: 'h', Port: 1 } };

describe('the Consul driver', () => {
  const drivers: Driver[] = [];
  let agent: FakeAgent;
  before(async () => {
    agent = await FakeAgent.start();
  });
  afterEach(async () => {
    for (const driver of drivers.splice(0)) await driver.close();
    agent.requests.length = 0;
    agent.respond = () => ({});
  });
  after(() => agent.close());

  const open = (query = '', user = ''): Driver => {
    const driver = openConsul(`consul://${user}${agent.host}${query}`, deps);
    drivers.push(driver);
    return driver;
  };
  const answering = (answer: FakeAnswer, query = ''): Driver => {
    agent.respond = () => answer;
    return open(query);
  };
  const signal = (): AbortSignal => AbortSignal.timeout(5000);
  const paths = (): readonly string[] =>
    agent.requests.map(({ method, path }) => `${method} ${path}`);

  describe('renewing', () => {
    for (const [version, status, body] of [
      ['new versions', 404, 'Unknown check ID "service:x:ttl". Ensure that …'],
      ['old versions', 500, 'CheckID "service:x:ttl" does not have associated TTL'],
      ['very old versions', 500, 'Unknown check "service:x:ttl"'],
    ] as const) {
      it(`finds the record gone as ${version} say it`, async () => {
        const driver = answering({ status, body });
        assert.equal(await driver.renew(instance, 1000, signal()), 'gone');
        assert.deepEqual(paths(), ['PUT /v1/agent/check/update/service%3A~57eb~2f1%3Attl']);
      });
    }

    it('asks for the service itself when only Consul checks it', async () => {
      const driver = answering({}, '?check=http');
      assert.equal(await driver.renew(instance, 1000, signal()), 'ok');
      assert.deepEqual(paths(), [
        'GET /v1/agent/service/~57eb~2f1',
        'GET /v1/agent/health/service/id/~57eb~2f1',
      ]);
    });
  });

  describe('registering', () => {
    it('renews at once, since the agent keeps the status of a check that it has', async () => {
      await open('?ns=team&partition=p').acquire(instance, 1000, signal());
      assert.deepEqual(paths(), [
        'PUT /v1/agent/service/register?ns=team&partition=p&replace-existing-checks=true',
        'PUT /v1/agent/check/update/service%3A~57eb~2f1%3Attl?ns=team&partition=p',
      ]);
    });

    it('is refused for good reasons by their codes', async () => {
      const codeOf = async (answer: FakeAnswer): Promise<unknown> =>
        answering(answer)
          .acquire(instance, 1000, signal())
          .catch((error: unknown) => (error as { code: unknown }).code);
      assert.equal(await codeOf({ status: 400, body: 'Invalid' }), 'registry_invalid');
      assert.equal(await codeOf({ status: 403, body: 'Permission denied' }), 'registry_auth');
      assert.equal(await codeOf({ status: 500, body: 'ACL not found' }), 'registry_auth');
      const starting = 'ACL system must be bootstrapped before making any requests: ACL not found';
      assert.equal(await codeOf({ status: 403, body: starting }), 'registry_unavailable');
      assert.equal(await codeOf({ status: 429, body: 'too many' }), 'registry_unavailable');
      assert.equal(await codeOf({ status: 500, body: 'rpc error' }), 'registry_unavailable');
      assert.equal(await codeOf({ status: 301, body: '' }), 'registry_invalid');
    });
  });

  it('releases what is not there', async () => {
    await answering({ status: 404, body: 'Unknown service ID "x"' }).release(instance, signal());
    await answering({ status: 500, body: 'Unknown service "x"' }).release(instance, signal());
    const broken = answering({ status: 500, body: 'No space left' });
    await assert.rejects(broken.release(instance, signal()), { code: 'registry_unavailable' });
  });

  it('sends the token as it is now', async () => {
    await open('', 's3cret@').read('web', signal());
    const directory = mkdtempSync(join(tmpdir(), 'outrigger-consul-'));
    const file = join(directory, 'token');
    writeFileSync(file, 'one\n');
    const driver = open(`?token-file=${file}`);
    await driver.read('web', signal());
    writeFileSync(file, 'two\n');
    await driver.read('web', signal());
    rmSync(directory, { recursive: true });
    await assert.rejects(driver.read('web', signal()), { code: 'registry_auth' });
    assert.deepEqual(
      agent.requests.map(({ token }) => token),
      ['s3cret', 'one', 'two'],
    );
  });

  describe('reading', () => {
    it('asks for what the URL says', async () => {
      await open('?dc=east&ns=team&tag=live&stale').read('web', signal());
      assert.deepEqual(paths(), [
        'GET /v1/health/service/web?ns=team&dc=east&stale=&passing=1&tag=live',
      ]);
    });

    for (const [what, answer, code] of [
      ['no leader', { status: 500, body: 'No cluster leader' }, 'registry_unavailable'],
      [
        'no leader, in a header',
        { headers: { 'x-consul-knownleader': 'false' } },
        'registry_unavailable',
      ],
      [
        'a token that may not read',
        { headers: { 'x-consul-results-filtered-by-acls': 'true' } },
        'registry_auth',
      ],
      ['no list', { body: { a: 1 } }, 'registry_invalid'],
      ['no JSON', { body: '[{' }, 'registry_invalid'],
      ['another server', { headers: { 'x-consul-index': 'x' } }, 'registry_invalid'],
    ] as const) {
      it(`does not take ${what} for an empty list`, async () => {
        await assert.rejects(answering(answer).read('web', signal()), { code });
      });
    }

    it('takes a list from an event stream, which knows no leader', async () => {
      const headers = { 'x-consul-knownleader': 'false', 'x-consul-query-backend': 'streaming' };
      const reading = await answering({ headers, body: [entry] }).read('web', signal());
      assert.equal(reading.instances.length, 1);
    });

    it('says for a lease time after an outage that absence proves nothing', async () => {
      const driver = answering({ status: 500, body: 'No cluster leader' });
      await assert.rejects(driver.read('web', signal()));
      agent.respond = () => ({});
      assert.equal((await driver.read('web', signal())).reset, true);
    });

    it('does not take a caller that lost interest for an outage', async () => {
      const driver = open();
      agent.respond = () => undefined;
      const losing = new AbortController();
      const lost = driver.read('web', losing.signal);
      await eventually('it is asked', () => agent.requests.length === 1);
      losing.abort();
      await assert.rejects(lost);
      agent.respond = () => ({});
      assert.equal((await driver.read('web', signal())).reset, undefined);
    });
  });

  it('names services of applications that have the tag', async () => {
    const body = { consul: [], web: ['live', 'v1'], db: ['v1'], 'Not/a name': ['live'] };
    assert.deepEqual(await answering({ body }).names(signal()), ['db', 'web']);
    assert.deepEqual(await answering({ body }, '?tag=live').names(signal()), ['web']);
  });

  describe('following', () => {
    const from: Reading = { instances: [], version: '7 x', malformed: 0 };
    const sink = { changed: (): void => undefined, confirmed: (): void => undefined };

    it('waits at the agent, from the index on', async () => {
      agent.respond = ({ path }) =>
        path.includes('index=9') ? undefined : { headers: { 'x-consul-index': '9' } };
      const driver = open('?wait=5s');
      const ending = new AbortController();
      const following = driver.follow('web', from, sink, ending.signal);
      await eventually('it waits', () => agent.requests.length === 2);
      ending.abort();
      await following;
      assert.deepEqual(paths(), [
        'GET /v1/health/service/web?passing=1&index=7&wait=5000ms',
        'GET /v1/health/service/web?passing=1&index=9&wait=5000ms',
      ]);
    });

    it('notices an agent that stays silent beyond the time to wait', async () => {
      agent.respond = () => undefined;
      const following = open('?wait=1s').follow('web', from, sink, signal());
      await assert.rejects(following, { code: 'registry_timeout' });
    });

    it('polls where the agent would take no further connection', async () => {
      agent.respond = ({ path }) => (path.includes('index=') ? undefined : {});
      const driver = open('?wait=10m');
      const ending = new AbortController();
      const all = Array.from({ length: 130 }, (_, n) =>
        driver.follow(`web${n}`, from, sink, ending.signal),
      );
      await eventually('connections are held', () => agent.requests.length >= 120);
      await eventually('others ask now and then', () => agent.requests.length === 130);
      const waiting = paths().filter((path) => path.includes('index='));
      assert.equal(waiting.length, 120);
      ending.abort();
      await Promise.all(all);
    });
  });
});
