// Real DNS servers for tests: Debian's dnsmasq, each with records of its own.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { decode, encode } from '../../src/core/dns-packet.ts';
import { freePort } from '../support/free-port.ts';
import { requireProgram, ServerProcess } from './server-process.ts';

/** Why tests with dnsmasq cannot run here, if they cannot. */
export function requireDnsmasq(): string | undefined {
  return requireProgram('dnsmasq', ['dnsmasq-base']);
}

export interface DnsmasqServer {
  readonly port: number;
  pause(): void;
  resume(): void;
  /** Killed, and up again with these options when this resolves. */
  restart(records: readonly string[]): Promise<void>;
  end(): Promise<void>;
  stop(): Promise<void>;
}

/** `records`: options such as `--srv-host=_web._tcp.t,h1.t,8080,0,10` and `--host-record=h1.t,127.0.0.1`. */
export async function startDnsmasq(records: readonly string[]): Promise<DnsmasqServer> {
  const port = await freePort();
  const server = new ServerProcess('dnsmasq');
  const start = (options: readonly string[]): Promise<void> => {
    const own = [
      '--no-daemon',
      '--no-resolv',
      '--no-hosts',
      '--conf-file=/dev/null',
      '--local=/t/',
    ];
    const place = [`--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces'];
    const args = [...own, ...place, '--local-ttl=1', '--edns-packet-max=4096', ...options];
    return server.start({ file: 'dnsmasq', args }, () => answers(port));
  };
  await start(records);
  return {
    port,
    pause: () => server.pause(),
    resume: () => server.resume(),
    restart: async (options) => {
      await server.end();
      await start(options);
    },
    end: () => server.end(),
    stop: () => server.stop(),
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  try {
    socket.send(
      encode({ type: 'query', id: 1, questions: [{ name: 't', type: 'A' }] }),
      port,
      '127.0.0.1',
    );
    const [bytes] = (await once(socket, 'message', { signal: AbortSignal.timeout(500) })) as [
      Buffer,
    ];
    return decode(bytes).id === 1;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}
