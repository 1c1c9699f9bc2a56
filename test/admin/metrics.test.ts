import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { measureProcess, renderMetrics, type ProcessUse } from '../../src/admin/metrics.ts';
import type { AgentView } from '../../src/admin/view.ts';
import { latencyBoundsMs } from '../../src/core/histogram.ts';
import { systemClock } from '../../src/core/clock.ts';
import { ask, withAdmin } from '../support/admin.ts';
import { fakeEndpoint, fakeUse, fakeView, fakeWorkers } from '../support/fake-view.ts';
import { parseExposition, type Sample } from '../support/prometheus.ts';

const use: ProcessUse = { residentBytes: 5e7, heapUsedBytes: 2e7, cpuMs: 1500, eventLoopLagMs: 2 };

function samples(name: string, view: AgentView = fakeView()): readonly Sample[] {
  const family = parseExposition(renderMetrics(view, use)).get(`outrigger_${name}`);
  assert.ok(family !== undefined, `there is a family ${name}`);
  return family.samples;
}

/** Values by the labels' texts. */
function values(name: string, view?: AgentView): Record<string, number> {
  const pairs = samples(name, view).map((sample): [string, number] => [
    Object.values(sample.labels).join(' '),
    sample.value,
  ]);
  return Object.fromEntries(pairs);
}

const url = 'redis://:***@127.0.0.1:6379/0';

describe('the metrics page', () => {
  it('is served as text of version 0.0.4 that a strict reader accepts', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const reply = await ask(address, 'GET /metrics');
      assert.equal(reply.status, 200);
      assert.match(reply.head, /^content-type: text\/plain; version=0\.0\.4; charset=utf-8$/im);
      assert.ok(parseExposition(reply.body).size > 20);
    });
  });

  it('tells the state of agent, registry and local services', () => {
    assert.deepEqual(values('agent_info'), { '0.1.0': 1 });
    assert.deepEqual(values('ready'), { '': 1 });
    assert.deepEqual(values('uptime_seconds'), { '': 192 });
    const life = { starting: 0, running: 1, draining: 0, stopped: 0 };
    assert.deepEqual(values('life_state'), life);
    assert.deepEqual(values('registry_up'), { [url]: 1 });
    assert.deepEqual(values('registry_state'), {
      [`${url} unknown`]: 0,
      [`${url} up`]: 1,
      [`${url} degraded`]: 0,
      [`${url} down`]: 0,
    });
    assert.deepEqual(values('registered'), { [`orders 10.0.0.9:8080 ${url}`]: 1 });
    assert.deepEqual(values('healthy'), { 'orders 10.0.0.9:8080': 1 });
    const heartbeats = {
      [`orders 10.0.0.9:8080 ${url} ok`]: 60,
      [`orders 10.0.0.9:8080 ${url} failed`]: 2,
    };
    assert.deepEqual(values('heartbeats_total'), heartbeats);
    assert.deepEqual(values('lease_losses_total'), { [`orders 10.0.0.9:8080 ${url}`]: 1 });
  });

  it('tells the lists and endpoints of the services in use', () => {
    const states = { 'payments unknown': 0, 'payments live': 1, 'payments stale': 0 };
    assert.deepEqual(values('snapshot_state'), states);
    assert.deepEqual(values('snapshot_age_seconds'), { payments: 1.5 });
    assert.deepEqual(values('snapshot_held'), { payments: 0 });
    assert.deepEqual(values('snapshot_malformed'), { payments: 1 });
    const endpoints = { 'payments healthy': 1, 'payments ejected': 1, 'payments probing': 0 };
    assert.deepEqual(values('endpoints'), endpoints);
  });

  it('tells the traffic of the services in use', () => {
    const requests = { 'payments 200 ': 5, 'payments 502 connect_failed': 1 };
    assert.deepEqual(values('requests_total'), requests);
    assert.deepEqual(values('attempts_total'), { payments: 8 });
    assert.deepEqual(values('retries_total'), { payments: 2 });
    assert.deepEqual(values('ejections_total'), { payments: 3 });
    assert.deepEqual(values('retry_budget'), { payments: 11 });
    assert.deepEqual(values('requests_in_flight'), { payments: 4 });
  });

  it('gives the latency as a cumulative histogram in seconds', () => {
    const all = samples('request_duration_seconds');
    const buckets = all.filter(({ name }) => name.endsWith('_bucket'));
    assert.deepEqual(
      buckets.map(({ labels }) => labels['le']),
      [...latencyBoundsMs.map((boundMs) => String(boundMs / 1000)), '+Inf'],
    );
    const counts = buckets.map(({ value }) => value);
    assert.deepEqual(counts, [1, 1, 3, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 6]);
    const rest = all.filter(({ name }) => !name.endsWith('_bucket'));
    assert.deepEqual(
      rest.map(({ value }) => value),
      [20.0535, 6],
    );
  });

  it('tells what the process uses', async () => {
    assert.deepEqual(values('process_resident_memory_bytes'), { '': 5e7 });
    assert.deepEqual(values('process_heap_used_bytes'), { '': 2e7 });
    assert.deepEqual(values('process_cpu_seconds_total'), { '': 1.5 });
    assert.deepEqual(values('event_loop_lag_seconds'), { '': 0.002 });
    const measured = await measureProcess(systemClock);
    assert.ok(measured.residentBytes > measured.heapUsedBytes && measured.heapUsedBytes > 1e6);
    assert.ok(measured.cpuMs > 0 && measured.eventLoopLagMs >= 0);
  });

  it('escapes labels', () => {
    const odd = 'a"b\\c\nd{},=é';
    const view = fakeView({ usedServices: () => [fakeUse({ service: odd })] });
    assert.deepEqual(values('attempts_total', view), { [odd]: 8 });
  });

  it('leaves the age of a list out that was never confirmed', () => {
    const snapshot = {
      state: 'unknown',
      ageMs: null,
      instances: 0,
      held: 0,
      malformed: 0,
    } as const;
    const view = fakeView({ usedServices: () => [fakeUse({ snapshot })] });
    assert.deepEqual(values('snapshot_age_seconds', view), {});
  });

  it('counts the workers, and what they use as the agent’s', () => {
    const view = fakeView({ workers: fakeWorkers });
    assert.deepEqual(values('workers', view), { serving: 1, starting: 1, draining: 0 });
    assert.deepEqual(values('workers_lost_total', view), { '': 1 });
    assert.deepEqual(values('process_resident_memory_bytes', view), { '': 5e7 + 2 * 6e7 });
    assert.deepEqual(values('process_heap_used_bytes', view), { '': 2e7 + 2 * 1e7 });
    assert.deepEqual(values('process_cpu_seconds_total', view), { '': 1.5 + 2 * 0.5 + 0.25 });
    assert.deepEqual(values('event_loop_lag_seconds', view), { '': 0.004 });
    assert.doesNotMatch(renderMetrics(fakeView(), use), /outrigger_workers/);
  });

  it('does not grow with the number of instances', () => {
    const endpoints = Array.from({ length: 1000 }, (_, index) => fakeEndpoint(`payments-${index}`));
    const view = fakeView({ usedServices: () => [fakeUse({ endpoints })] });
    const few = renderMetrics(fakeView(), use).split('\n').length;
    assert.equal(renderMetrics(view, use).split('\n').length, few);
  });

  it('does not grow with the names that callers invent, and still counts those calls', () => {
    const invented = Array.from({ length: 500 }, (_, index) =>
      fakeUse({ service: `invented-${index}`, known: false, endpoints: [] }),
    );
    const view = fakeView({
      usedServices: () => [fakeUse(), ...invented],
      unknownRequests: () => [{ code: 404, reason: 'no_such_service', count: 500 }],
    });
    const few = renderMetrics(fakeView(), use).split('\n').length;
    assert.equal(renderMetrics(view, use).split('\n').length, few + 1);
    assert.deepEqual(values('requests_total', view), {
      'payments 200 ': 5,
      'payments 502 connect_failed': 1,
      '_unknown 404 no_such_service': 500,
    });
  });
});
