import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explainCall } from '../../src/agent/explain-call.ts';
import { showSnapshot, showUpstream } from '../../src/agent/show-upstream.ts';
import { unknownSnapshot } from '../../src/core/snapshot.ts';
import { Exchange } from '../../src/proxy/exchange.ts';
import { instance, UpstreamFixture } from '../support/upstream-fixture.ts';

const anyCall = { tag: null };

describe('explainCall', () => {
  it('names the instance that a call would go to', () => {
    const { upstream, clock } = new UpstreamFixture([
      instance('a1'),
      instance('a2', { weight: 0 }),
    ]);
    const { chosen, reason, summary } = explainCall(upstream, anyCall, clock.nowMs());
    assert.deepEqual([chosen, reason], ['a1', null]);
    assert.equal(summary, '127.0.0.1:1001: chosen by p2c (1 in rotation)');
  });

  it('says why a call would fail', () => {
    const { upstream, clock } = new UpstreamFixture([instance('a1')]);
    const tagged = explainCall(upstream, { tag: 'v2' }, clock.nowMs());
    assert.deepEqual([tagged.chosen, tagged.reason], [null, 'no_instances']);
    assert.equal(
      tagged.summary,
      "no instance with the tag 'v2': a call would wait 3000 ms for one",
    );
    upstream.counters.inFlight = upstream.policy.inFlightMax;
    const full = explainCall(upstream, anyCall, clock.nowMs());
    assert.deepEqual([full.chosen, full.reason], [null, 'overloaded']);
  });
});

describe('the reason that is explained', () => {
  const facts = { method: 'GET', idempotencyKey: false, deadlineAtMs: Infinity };
  const scenes: readonly (readonly [string, (fixture: UpstreamFixture) => void])[] = [
    ['no_such_service', (fixture) => fixture.set([])],
    ['no_instances', (fixture) => fixture.set([], 'stale')],
    ['no_instances', (fixture) => fixture.set([instance('a1', { weight: 0 })])],
    ['overloaded', ({ upstream }) => (upstream.counters.inFlight = upstream.policy.inFlightMax)],
  ];
  for (const [reason, prepare] of scenes) {
    it(`is that of a call: ${reason}`, () => {
      const fixture = new UpstreamFixture([], { waitTimeoutMs: 0 });
      prepare(fixture);
      const { upstream, clock } = fixture;
      assert.equal(explainCall(upstream, anyCall, clock.nowMs()).reason, reason);
      const end = new Exchange(upstream, facts, clock).next();
      assert.equal(end.kind === 'failure' && end.reason, reason);
    });
  }

  it('is none while an ejected instance would be tried for want of a better one', () => {
    const fixture = new UpstreamFixture([instance('a1'), instance('a2')]);
    const { upstream, clock } = fixture;
    upstream.unreachable(fixture.endpoint('a1'), 'ECONNREFUSED');
    fixture.set([instance('a1')]);
    const { chosen, reason } = explainCall(upstream, anyCall, clock.nowMs());
    assert.deepEqual([chosen, reason], ['a1', null]);
  });
});

describe('showUpstream', () => {
  it('shows the state and the counters of every endpoint', () => {
    const fixture = new UpstreamFixture([instance('a1'), instance('a2', { zone: 'z' })]);
    const { upstream, clock } = fixture;
    fixture.upstream.unreachable(fixture.endpoint('a2'), 'ECONNREFUSED');
    upstream.counters.outcomes.add(200);
    upstream.counters.outcomes.add(200);
    upstream.counters.outcomes.add('no_instances');
    const shown = showUpstream(upstream, 3, clock.nowMs());
    assert.deepEqual(
      shown.endpoints.map(({ id, state, cause, zone, ejections }) => [
        id,
        state,
        cause,
        zone,
        ejections,
      ]),
      [
        ['a1', 'healthy', null, null, 0],
        ['a2', 'ejected', 'ECONNREFUSED', 'z', 1],
      ],
    );
    assert.ok((shown.endpoints[1]?.ejectedForMs ?? 0) >= 750);
    assert.deepEqual(shown.traffic.requests, [
      { code: 200, reason: null, count: 2 },
      { code: 503, reason: 'no_instances', count: 1 },
    ]);
    assert.deepEqual([shown.snapshot.malformed, shown.snapshot.instances], [3, 2]);
  });

  it('gives no age to a list that was never read', async () => {
    const { clock, upstream } = new UpstreamFixture([instance('a1')]);
    assert.equal(showSnapshot(unknownSnapshot('x', clock.nowMs()), 0, clock.nowMs()).ageMs, null);
    await clock.advance(1500);
    assert.equal(showSnapshot(upstream.snapshot, 0, clock.nowMs()).ageMs, 1500);
  });
});
