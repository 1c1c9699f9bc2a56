// From configuration to probe: each type, its defaults, and that the configuration's own type fits.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ProbeConfig } from '../../src/config/config.ts';
import { createProbe } from '../../src/health/probe-table.ts';

const app = { port: 8080 };

function nameOf(config: ProbeConfig): string {
  return createProbe(config, app).name;
}

describe('createProbe', () => {
  it('takes a path on the port of the app, or an absolute URL', () => {
    const rest = { type: 'http', headers: {}, expectHeaders: {} } as const;
    assert.equal(nameOf({ ...rest, target: '/health' }), 'http http://127.0.0.1:8080/health');
    assert.equal(nameOf({ ...rest, target: 'https://a.test/x' }), 'http https://a.test/x');
  });

  it('never takes a path for another host', () => {
    const config = {
      type: 'http',
      target: '//evil.test/x',
      headers: {},
      expectHeaders: {},
    } as const;
    assert.equal(nameOf(config), 'http http://127.0.0.1:8080//evil.test/x');
  });

  it('connects to the port of the app unless another target is given', () => {
    assert.equal(nameOf({ type: 'tcp' }), 'tcp 127.0.0.1:8080');
    assert.equal(nameOf({ type: 'tcp', target: { host: 'db', port: 1 } }), 'tcp db:1');
  });

  it('runs commands and asks gRPC servers', () => {
    assert.equal(nameOf({ type: 'command', argv: ['pg_isready', '-q'] }), 'command pg_isready -q');
    assert.equal(nameOf({ type: 'grpc', service: 'shop.Cart' }), 'grpc 127.0.0.1:8080 shop.Cart');
  });
});
