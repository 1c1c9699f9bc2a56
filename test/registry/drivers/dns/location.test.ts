import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nameOf, parseLocation } from '../../../../src/registry/drivers/dns/location.ts';

describe('a DNS URL', () => {
  it('names servers, a domain and how names are made', () => {
    const location = parseLocation('dns://10.0.0.1,[::1]:5300/Service.Consul.?tcp=1&min-ttl=2s');
    assert.deepEqual(location.servers, [
      { host: '10.0.0.1', port: 53 },
      { host: '::1', port: 5300 },
    ]);
    assert.equal(location.tcp, true);
    assert.equal(location.ttlMinMs, 2000);
    assert.equal(nameOf(location, 'web'), '_web._tcp.service.consul');
  });

  it('without a server means those of the system', () => {
    assert.equal(parseLocation('dns:///example.org').servers, undefined);
  });

  it('with a port asks for addresses', () => {
    assert.equal(nameOf(parseLocation('dns://h/t?port=8080'), 'web'), 'web.t');
    const location = parseLocation('dns://h/t?name=_{proto}.{service}.x.{domain}&proto=grpc');
    assert.equal(nameOf(location, 'web'), '_grpc.web.x.t');
    assert.equal(nameOf(parseLocation('dns://h/T?name={service}.x.{domain}.'), 'web'), 'web.x.t');
  });

  const refused: readonly (readonly [string, RegExp])[] = [
    ['dns://h', /the path must be the domain/],
    ['dns://h/%zz', /the path must be the domain/],
    [`dns://h/${'x'.repeat(64)}`, /the path must be the domain/],
    ['dns://h/a/b', /the path must be the domain/],
    ['dns://h/t?port=0', /port must be a port/],
    ['dns://h/t?port=1.5', /port must be a port/],
    ['dns://h/t?name=web', /name must have \{service\}/],
    ['dns://h/t?min-ttl=10ms', /min-ttl must be at least 100ms/],
    ['dns://h/t?min-ttl=9s&max-ttl=8s', /at most max-ttl/],
    ['dns://h/t?prot=tcp', /did you mean "proto"/],
    ['dns://h:99999/t', /"h:99999" is not HOST\[:PORT\]/],
  ];
  for (const [url, message] of refused) {
    it(`${url} is refused`, () => {
      assert.throws(() => parseLocation(url), { code: 'config_invalid', message });
    });
  }
});
