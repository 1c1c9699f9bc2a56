import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Instance } from '../../src/core/instance.ts';
import {
  Attempt,
  Exchange,
  type FailureKind,
  type RequestFacts,
} from '../../src/proxy/exchange.ts';
import type { UpstreamPolicy } from '../../src/upstream/policy.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { instance, UpstreamFixture } from '../support/upstream-fixture.ts';

const three = [instance('a1'), instance('a2'), instance('a3')];

function begin(
  { method = 'GET', ...facts }: Partial<RequestFacts> = {},
  instances: readonly Instance[] = three,
  policy: Partial<UpstreamPolicy> = {},
) {
  const fixture = new UpstreamFixture(instances, policy);
  const all = { method, idempotencyKey: false, deadlineAtMs: Infinity, ...facts };
  const { clock, upstream } = fixture;
  return { clock, upstream, fixture, exchange: new Exchange(fixture.upstream, all, fixture.clock) };
}

function attempt(exchange: Exchange): Attempt {
  const step = exchange.next();
  assert.ok(step instanceof Attempt, `expected an attempt, not ${JSON.stringify(step)}`);
  return step;
}

function failAfter(exchange: Exchange, phase: 'picked' | 'committed', kind: FailureKind): void {
  attempt(exchange);
  if (phase === 'committed') {
    exchange.connected();
    exchange.committed();
  }
  exchange.failed(kind, kind);
}

function outcomesOf({ counters }: Upstream): Record<string, number> {
  return Object.fromEntries(counters.outcomes.counts);
}

describe('Exchange', () => {
  it('passes a reply on and gives back what it held', () => {
    const { exchange, upstream } = begin();
    const { endpoint } = attempt(exchange);
    assert.deepEqual([upstream.counters.inFlight, endpoint.outstanding], [1, 1]);
    exchange.connected();
    exchange.committed();
    assert.equal(exchange.replied(200), 'pass');
    exchange.finished();
    exchange.finished();
    assert.deepEqual([upstream.counters.inFlight, endpoint.outstanding], [0, 0]);
    assert.deepEqual(outcomesOf(upstream), { 200: 1 });
  });

  it('counts a reply that breaks off once, and not by the status of its head', () => {
    for (const [end, outcome] of [
      [(exchange: Exchange) => exchange.cut('gone'), 'reset'],
      [(exchange: Exchange) => exchange.cut('no head', 'bad_response'), 'bad_response'],
      [(exchange: Exchange) => exchange.clientClosed(), 'client_closed'],
    ] as const) {
      const { exchange, upstream } = begin();
      attempt(exchange);
      exchange.committed();
      assert.equal(exchange.replied(200), 'pass');
      end(exchange);
      exchange.finished();
      assert.deepEqual(outcomesOf(upstream), { [outcome]: 1 });
    }
  });

  it('retries a POST that never left, on another instance', () => {
    const { exchange } = begin({ method: 'POST' });
    failAfter(exchange, 'picked', 'refused');
    const first = exchange.attempts[0]?.endpoint;
    assert.notEqual(attempt(exchange).endpoint, first);
  });

  it('does not retry a POST whose bytes may have left', () => {
    const { exchange } = begin({ method: 'POST' });
    failAfter(exchange, 'committed', 'reset');
    assert.deepEqual(exchange.next(), { kind: 'failure', reason: 'reset', neverSent: false });
  });

  it('retries it when the client vouches for it with a key', () => {
    const { exchange } = begin({ method: 'POST', idempotencyKey: true });
    failAfter(exchange, 'committed', 'reset');
    attempt(exchange);
  });

  it('does not retry when the body is lost', () => {
    const { exchange } = begin({ method: 'PUT' });
    attempt(exchange);
    exchange.committed();
    exchange.bodyLost();
    exchange.failed('reset', 'ECONNRESET');
    assert.equal(exchange.next().kind, 'failure');
  });

  it('stops at the number of retries', () => {
    const { exchange, upstream } = begin({}, [...three, instance('a4'), instance('a5')]);
    for (let tries = 0; tries < 3; tries++) failAfter(exchange, 'committed', 'response_timeout');
    assert.deepEqual(exchange.next(), {
      kind: 'failure',
      reason: 'upstream_timeout',
      neverSent: false,
    });
    assert.deepEqual([upstream.counters.attempts, upstream.counters.retries], [3, 2]);
  });

  it('stops when the budget is spent', () => {
    const { exchange } = begin({}, three, { retryRatio: 0, retriesPerSecondMin: 0 });
    failAfter(exchange, 'picked', 'refused');
    assert.deepEqual(exchange.next(), {
      kind: 'failure',
      reason: 'connect_failed',
      neverSent: true,
    });
  });

  it('tries a lone instance again only when a reused connection had gone stale', () => {
    const stale = begin({}, [instance('a1')]).exchange;
    failAfter(stale, 'committed', 'stale_connection');
    assert.equal(attempt(stale).endpoint.instance.id, 'a1');
    const reset = begin({}, [instance('a1')]).exchange;
    failAfter(reset, 'committed', 'reset');
    assert.equal(reset.next().kind, 'failure');
  });

  it('says all_ejected when even the ejected ones could not be reached', () => {
    const { exchange, fixture } = begin({}, [instance('a1'), instance('a2')]);
    fixture.upstream.unreachable(fixture.endpoint('a2'), 'ECONNREFUSED');
    failAfter(exchange, 'picked', 'refused');
    failAfter(exchange, 'picked', 'refused');
    assert.deepEqual(exchange.next(), { kind: 'failure', reason: 'all_ejected', neverSent: true });
  });

  it('ejects an instance that refuses, not one whose idle connection was closed', () => {
    for (const [kind, expected] of [
      ['refused', 'ejected'],
      ['reset', 'ejected'],
      ['connect_timeout', 'ejected'],
      ['stale_connection', 'in'],
      ['response_timeout', 'in'],
    ] as const) {
      const { exchange } = begin();
      failAfter(exchange, 'committed', kind);
      assert.equal(exchange.attempts[0]?.endpoint.ejection.state.kind, expected, kind);
    }
  });

  it('waits for a first instance, then says why there is none', async () => {
    const { exchange, fixture, clock } = begin({}, [], { waitTimeoutMs: 3000 });
    const wait = exchange.next();
    assert.deepEqual(wait, { kind: 'wait', untilMs: clock.nowMs() + 3000 });
    let woken = 0;
    fixture.upstream.onChange(() => woken++);
    fixture.set([instance('a1', { weight: 0 })]);
    assert.deepEqual([woken, exchange.next().kind], [1, 'wait']);
    await clock.advance(3000);
    assert.deepEqual(exchange.next(), { kind: 'failure', reason: 'no_instances', neverSent: true });
  });

  it('says no_such_service only when the registry answered and never had one', async () => {
    const asked = begin({}, [], { waitTimeoutMs: 10 });
    asked.exchange.next();
    asked.fixture.set([], 'live');
    await asked.clock.advance(10);
    const step = asked.exchange.next();
    assert.equal(step.kind === 'failure' && step.reason, 'no_such_service');

    const unasked = begin({}, [], { waitTimeoutMs: 10 });
    unasked.exchange.next();
    await unasked.clock.advance(10);
    const other = unasked.exchange.next();
    assert.equal(other.kind === 'failure' && other.reason, 'no_instances');
  });

  it('goes on from waiting as soon as an instance is there', () => {
    const { exchange, fixture } = begin({}, []);
    assert.equal(exchange.next().kind, 'wait');
    fixture.set([instance('a1')]);
    assert.equal(attempt(exchange).endpoint.instance.id, 'a1');
  });

  it('refuses when too many requests are in flight', () => {
    const { exchange, fixture, clock } = begin({}, three, { inFlightMax: 1 });
    attempt(exchange);
    const facts = { method: 'GET', idempotencyKey: false, deadlineAtMs: Infinity };
    const second = new Exchange(fixture.upstream, facts, clock);
    assert.deepEqual(second.next(), { kind: 'failure', reason: 'overloaded', neverSent: true });
    assert.equal(fixture.upstream.counters.inFlight, 1);
    exchange.finished();
    assert.equal(fixture.upstream.counters.inFlight, 0);
  });

  it('ends at the deadline, and shortens the time for a reply to it', async () => {
    const { exchange, clock } = begin({}, three, { timeoutMs: 500, responseTimeoutMs: 2000 });
    attempt(exchange);
    exchange.committed();
    await clock.advance(200);
    assert.equal(exchange.responseTimeoutMs(), 300);
    await clock.advance(300);
    exchange.failed('response_timeout', 'no head');
    const step = exchange.next();
    assert.equal(step.kind === 'failure' && step.reason, 'deadline_exceeded');
  });

  it('gives a 503 to another instance when the request may be repeated, else passes it on', () => {
    const { exchange, upstream } = begin();
    attempt(exchange);
    exchange.committed();
    assert.equal(exchange.replied(503), 'retry');
    attempt(exchange);
    assert.equal(exchange.replied(200), 'pass');
    exchange.finished();
    assert.deepEqual(outcomesOf(upstream), { 200: 1 });

    const post = begin({ method: 'POST' }).exchange;
    attempt(post);
    post.committed();
    assert.equal(post.replied(503), 'pass');

    const alone = begin({}, [instance('a1')]).exchange;
    attempt(alone);
    alone.committed();
    assert.equal(alone.replied(503), 'pass');
  });

  it('retries even a POST when the reply says that it was never sent', () => {
    const { exchange } = begin({ method: 'POST' });
    attempt(exchange);
    exchange.committed();
    assert.equal(exchange.replied(503, true), 'retry');
    attempt(exchange);
  });

  it('counts a client that left before anything was done for it', () => {
    const { exchange, upstream } = begin();
    exchange.clientClosed();
    assert.deepEqual(outcomesOf(upstream), { client_closed: 1 });
  });

  it('counts a client that left without blaming the instance', () => {
    const { exchange, upstream } = begin();
    const { endpoint } = attempt(exchange);
    exchange.committed();
    exchange.clientClosed();
    exchange.cut('too late');
    assert.deepEqual(outcomesOf(upstream), { client_closed: 1 });
    assert.deepEqual([endpoint.counters.failures, endpoint.outstanding], [0, 0]);
  });

  it('whatever happens: nothing leaks, no instance twice, no unsafe repetition', () => {
    const kinds: FailureKind[] = ['refused', 'connect_timeout', 'reset', 'response_timeout'];
    const event = fc.record({
      committed: fc.boolean(),
      bodyLost: fc.boolean(),
      outcome: fc.constantFrom(...kinds, 'reply', 'status', 'client'),
    });
    const methods = fc.constantFrom('GET', 'POST', 'PUT');
    fc.assert(
      fc.property(methods, fc.array(event, { minLength: 1, maxLength: 6 }), (method, events) => {
        const { exchange, upstream } = begin({ method });
        let sent = 0;
        for (const { committed, bodyLost, outcome } of events) {
          const step = exchange.next();
          if (step.kind !== 'attempt') break;
          if (sent > 0) assert.notEqual(method, 'POST', 'repeated after it was sent');
          if (committed || outcome === 'reply' || outcome === 'status') {
            exchange.committed();
            sent++;
          }
          if (bodyLost) exchange.bodyLost();
          if (outcome === 'client') exchange.clientClosed();
          else if (outcome === 'reply') exchange.replied(200);
          else if (outcome === 'status' && exchange.replied(503) === 'pass') break;
          else if (outcome !== 'status') exchange.failed(outcome, outcome);
          if (outcome === 'client' || outcome === 'reply') break;
        }
        exchange.finished();
        const tried = exchange.attempts.map(({ endpoint }) => endpoint);
        assert.equal(new Set(tried).size, tried.length);
        assert.equal(upstream.counters.inFlight, 0);
        for (const endpoint of upstream.endpoints) assert.equal(endpoint.outstanding, 0);
      }),
    );
  });
});
