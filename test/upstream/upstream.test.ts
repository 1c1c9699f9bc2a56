import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explainChoice } from '../../src/upstream/explain.ts';
import { instance, UpstreamFixture } from '../support/upstream-fixture.ts';

describe('Upstream', () => {
  it('keeps the endpoints that stayed and retires those that left', () => {
    const fixture = new UpstreamFixture([instance('a1'), instance('a2')]);
    const [first, second] = [fixture.endpoint('a1'), fixture.endpoint('a2')];
    let retirements = 0;
    second.own({ retire: () => retirements++ });
    fixture.set([instance('a1', { tags: ['v2'] }), instance('a3')]);
    assert.equal(fixture.endpoint('a1'), first);
    assert.deepEqual(first.instance.tags, ['v2']);
    assert.deepEqual([second.retired, retirements], [true, 1]);
  });

  it('makes a new endpoint when an id moves to another address', () => {
    const fixture = new UpstreamFixture([instance('a1')]);
    const before = fixture.endpoint('a1');
    fixture.set([instance('a1', { port: 9999 })]);
    assert.equal(before.retired, true);
    assert.equal(fixture.endpoint('a1').address, '127.0.0.1:9999');
  });

  it('never picks weight 0, nor another tag', () => {
    const fixture = new UpstreamFixture([
      instance('a1', { weight: 0 }),
      instance('a2', { tags: ['v2'] }),
    ]);
    for (let pick = 0; pick < 20; pick++) {
      assert.equal(fixture.upstream.pick(undefined, [], 0)?.instance.id, 'a2');
    }
    assert.equal(fixture.upstream.pick('v2', [], 0)?.instance.id, 'a2');
    assert.equal(fixture.upstream.pick('v3', [], 0), undefined);
  });

  it('remembers no tag that no instance has, for tags come from clients', () => {
    const fixture = new UpstreamFixture([instance('a1', { tags: ['v1'] })]);
    const { upstream } = fixture;
    assert.equal(upstream.candidates('v1'), upstream.candidates('v1'));
    assert.notEqual(upstream.candidates('v9'), upstream.candidates('v9'));
    fixture.set([instance('a1', { tags: ['v9'] })]);
    assert.equal(upstream.pick('v9', [], 0)?.instance.id, 'a1');
  });

  it('ejects an unreachable instance at once, reports it, and lets a probe bring it back', async () => {
    const fixture = new UpstreamFixture([instance('a1'), instance('a2')]);
    fixture.probeCauses.set('a1', 'ECONNREFUSED');
    fixture.upstream.unreachable(fixture.endpoint('a1'), 'ECONNREFUSED');
    assert.deepEqual(fixture.unreachable, ['a1']);
    assert.deepEqual(idsInRotation(fixture), ['a2']);
    await fixture.clock.advance(1300);
    assert.deepEqual(idsInRotation(fixture), ['a2'], 'the probe was refused');
    fixture.probeCauses.delete('a1');
    await fixture.clock.advance(2600);
    assert.deepEqual(idsInRotation(fixture), ['a1', 'a2']);
  });

  it('never ejects the last one in rotation', () => {
    const fixture = new UpstreamFixture([instance('a1'), instance('a2')]);
    fixture.upstream.unreachable(fixture.endpoint('a1'), 'ECONNREFUSED');
    fixture.upstream.unreachable(fixture.endpoint('a2'), 'ECONNREFUSED');
    assert.deepEqual(idsInRotation(fixture), ['a2']);
  });

  it('picks an ejected instance rather than none', () => {
    const fixture = new UpstreamFixture([instance('a1'), instance('a2')]);
    fixture.upstream.unreachable(fixture.endpoint('a1'), 'ECONNREFUSED');
    fixture.set([instance('a1')]);
    assert.equal(fixture.upstream.pick(undefined, [], 0)?.instance.id, 'a1');
  });

  it('ejects after consecutive bad answers', () => {
    const fixture = new UpstreamFixture([instance('a1'), instance('a2')], {
      ejectAfterFailures: 2,
    });
    const endpoint = fixture.endpoint('a1');
    fixture.upstream.failed(endpoint, 'status 500');
    fixture.upstream.succeeded(endpoint);
    fixture.upstream.failed(endpoint, 'status 500');
    assert.equal(endpoint.ejection.state.kind, 'in');
    fixture.upstream.failed(endpoint, 'status 500');
    assert.equal(endpoint.ejection.state.kind, 'ejected');
  });

  it('leaves no timer when it is closed', () => {
    const fixture = new UpstreamFixture([instance('a1'), instance('a2')]);
    fixture.upstream.unreachable(fixture.endpoint('a1'), 'ECONNREFUSED');
    assert.equal(fixture.clock.pendingTimers, 1);
    fixture.upstream.close();
    assert.equal(fixture.clock.pendingTimers, 0);
  });

  it('explains every instance', () => {
    const fixture = new UpstreamFixture([
      instance('a1', { tags: ['v2'] }),
      instance('a2'),
      instance('a3', { tags: ['v2'], weight: 0 }),
      instance('a4', { tags: ['v2'] }),
    ]);
    fixture.upstream.unreachable(fixture.endpoint('a4'), 'ECONNREFUSED');
    const verdicts = explainChoice(fixture.upstream, 'v2', fixture.clock.nowMs());
    assert.deepEqual(
      verdicts.map(({ instance: id, verdict }) => [id, verdict]),
      [
        ['a1', 'chosen'],
        ['a2', 'excluded'],
        ['a3', 'excluded'],
        ['a4', 'excluded'],
      ],
    );
    assert.match(verdicts[1]?.because ?? '', /no tag 'v2'/);
    assert.match(verdicts[2]?.because ?? '', /weight is 0/);
    assert.match(verdicts[3]?.because ?? '', /ejected \(ECONNREFUSED\), next probe in \d+ ms/);
  });
});

function idsInRotation(fixture: UpstreamFixture): string[] {
  return fixture.upstream.candidates(undefined).members.map(({ instance: { id } }) => id);
}
