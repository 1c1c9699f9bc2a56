// The agent's DNS server as real clients see it: Debian's dig, and what no client should send.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { encode } from '../../src/core/dns-packet.ts';
import { requireProgram } from '../servers/server-process.ts';
import { Fleet, type RunningAgent } from '../e2e/agent-process.ts';
import { eventually } from '../support/eventually.ts';

const many = Array.from({ length: 60 }, (_, n) => `10.0.0.${n + 1}:80`).join(',');
const registry = `static:web=127.0.0.1:8001,[::1]:8002;big=${many};named=db.example:5432;two.words=10.0.0.1:1`;

async function start(
  t: TestContext,
  flags: readonly string[] = ['--dns', '127.0.0.1:0'],
  url = registry,
): Promise<[RunningAgent, number]> {
  const agent = await new Fleet(t).start({ registry: url, flags });
  const port = /^ready .* dns=\S+:(\d+)$/m.exec(agent.output())?.[1];
  assert.ok(port !== undefined, agent.output());
  return [agent, Number(port)];
}

async function dig(port: number, ...args: readonly string[]): Promise<string> {
  const server = args.some((arg) => arg.startsWith('@')) ? [] : ['@127.0.0.1'];
  const common = [...server, '-p', String(port), '+tries=1', '+time=3', '+norecurse'];
  const { stdout } = await promisify(execFile)('dig', [...common, ...args]);
  return stdout;
}

const sorted = (text: string): string[] => text.trim().split('\n').sort();

describe(
  'the DNS server, asked by dig',
  { skip: requireProgram('dig', ['bind9-dnsutils']) ?? false },
  () => {
    it('answers SRV with targets that it resolves itself', async (t) => {
      const [, port] = await start(t);
      const six = `${'0'.repeat(31)}1.addr.outrigger.`;
      for (const name of ['_web._tcp.outrigger', 'web.outrigger', '_WEB._tcp.Outrigger']) {
        for (const over of ['+notcp', '+tcp']) {
          const answer = await dig(port, name, 'SRV', '+short', over);
          assert.deepEqual(sorted(answer), [
            '0 1 8001 7f000001.addr.outrigger.',
            `0 1 8002 ${six}`,
          ]);
        }
      }
      assert.equal(await dig(port, '7f000001.addr.outrigger', 'A', '+short'), '127.0.0.1\n');
      assert.equal(await dig(port, six, 'AAAA', '+short'), '::1\n');
      const whole = await dig(port, '_web._tcp.outrigger', 'SRV');
      assert.match(whole, /^7f000001\.addr\.outrigger\.\s+0\s+IN\s+A\s+127\.0\.0\.1$/m);
      assert.match(whole, /flags: qr aa;/);
      assert.equal(
        await dig(port, '_named._tcp.outrigger', 'SRV', '+short'),
        '0 1 5432 db.example.\n',
      );
    });

    it('answers addresses of each family, and names with dots', async (t) => {
      const [, port] = await start(t);
      assert.equal(await dig(port, 'web.outrigger', 'A', '+short'), '127.0.0.1\n');
      assert.equal(await dig(port, 'web.outrigger', 'AAAA', '+short'), '::1\n');
      assert.equal(await dig(port, 'two.words.outrigger', 'A', '+short'), '10.0.0.1\n');
    });

    it('tells what there is not, and why', async (t) => {
      const [, port] = await start(t);
      const cases: readonly (readonly [string, string, RegExp])[] = [
        ['nobody.outrigger', 'A', /status: NXDOMAIN[^]*outrigger\.\s+0\s+IN\s+SOA/],
        ['named.outrigger', 'A', /status: NOERROR[^]*ANSWER: 0[^]*IN\s+SOA/],
        ['web.outrigger', 'MX', /status: NOERROR[^]*ANSWER: 0[^]*IN\s+SOA/],
        ['example.org', 'A', /status: REFUSED/],
        ['outrigger', 'SOA', /status: NOERROR[^]*ANSWER: 1[^]*IN\s+SOA/],
        ['web.outrigger', 'ANY', /ANSWER: 1[^]*HINFO\s+"RFC8482" ""/],
      ];
      for (const [name, type, expected] of cases) {
        assert.match(await dig(port, name, type), expected, `${name} ${type}`);
      }
      assert.match(await dig(port, '-c', 'CH', 'web.outrigger', 'A'), /status: REFUSED/);
      assert.match(await dig(port, '.', 'NS'), /status: REFUSED/);
      assert.match(await dig(port, 'web.outrigger', 'TYPE65280'), /NOERROR[^]*ANSWER: 0[^]*SOA/);
      const newer = await dig(port, 'web.outrigger', 'A', '+edns=1', '+noednsnegotiation');
      assert.match(newer, /status: BADVERS/);
      assert.match(await dig(port, '+opcode=STATUS', 'web.outrigger', 'A'), /status: NOTIMP/);
    });

    it('cuts what does not fit into a datagram, and gives all of it over TCP', async (t) => {
      const [, port] = await start(t);
      const cut = await dig(port, '_big._tcp.outrigger', 'SRV', '+ignore', '+bufsize=512');
      assert.match(cut, /flags: qr aa tc/);
      assert.ok(/ANSWER: (?:[1-9]|[12]\d),/.test(cut), cut);
      // dig asks again over TCP by itself.
      const all = await dig(port, '_big._tcp.outrigger', 'SRV', '+short', '+bufsize=512');
      assert.equal(sorted(all).length, 60);
      assert.match(await dig(port, '_big._tcp.outrigger', 'SRV', '+noedns', '+ignore'), /tc/);
    });

    it('says that it cannot know while the registry does not answer', async (t) => {
      const [, port] = await start(t, undefined, 'redis://127.0.0.1:1');
      assert.match(await dig(port, 'web.outrigger', 'A'), /status: SERVFAIL/);
      assert.match(await dig(port, 'example.org', 'A'), /status: REFUSED/);
    });

    it('listens on IPv6', async (t) => {
      const [, port] = await start(t, ['--dns', '[::1]:0']);
      for (const over of ['+notcp', '+tcp']) {
        const answer = await dig(port, '@::1', 'web.outrigger', 'AAAA', '+short', over);
        assert.equal(answer, '::1\n');
      }
    });

    it('serves another domain', async (t) => {
      const [, port] = await start(t, ['--dns', '127.0.0.1:0', '--dns-domain', 'Service.Consul']);
      assert.equal(await dig(port, 'web.service.consul', 'A', '+short'), '127.0.0.1\n');
      assert.match(await dig(port, 'web.outrigger', 'A'), /status: REFUSED/);
    });

    it('survives what is no query, and idle connections', async (t) => {
      const [agent, port] = await start(t);
      const socket = createSocket('udp4');
      t.after(() => socket.close());
      const response = encode({
        type: 'response',
        id: 7,
        questions: [{ name: 'web.outrigger', type: 'A' }],
      });
      const empty = encode({ type: 'query', id: 8, questions: [] });
      for (const bytes of [
        Buffer.alloc(0),
        Buffer.from('x'),
        Buffer.alloc(600, 255),
        response,
        empty,
      ]) {
        socket.send(bytes, port, '127.0.0.1');
      }
      // The one without a question is the only one that gets an answer.
      const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(5000) })) as [
        Buffer,
      ];
      assert.equal(answer.readUInt16BE(0), 8);
      const client = connect(port, '127.0.0.1');
      t.after(() => client.destroy());
      client.write(Buffer.from([0, 3, 1, 2, 3]));
      await eventually(
        'a connection without a query is closed',
        () => client.readableEnded || client.closed,
      );
      assert.equal(await dig(port, 'web.outrigger', 'A', '+short'), '127.0.0.1\n');
      agent.process.kill('SIGTERM');
      assert.equal(await agent.exited, 0);
    });
  },
);
