// Test double: a DNS server, over UDP and TCP on one port, whose answers a test decides.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import {
  decode,
  encode,
  type Answer,
  type DecodedPacket,
} from '../../../../src/core/dns-packet.ts';

interface Asked {
  readonly name: string;
  readonly type: string;
  readonly over: 'udp' | 'tcp';
}

/** Parts of the message; `undefined` is silence, bytes are sent as they are. */
export type Reply = Partial<DecodedPacket> | Buffer | undefined;

export interface ScriptedServer {
  readonly port: number;
  readonly asked: readonly Asked[];
}

/** Stopped when the test ends. */
export async function startScripted(
  t: TestContext,
  reply: (asked: Asked) => Reply,
): Promise<ScriptedServer> {
  const asked: Asked[] = [];
  const answer = (bytes: Buffer, over: Asked['over']): Buffer | undefined => {
    const query = decode(bytes);
    const [question] = query.questions ?? [];
    const one = { name: question?.name ?? '', type: question?.type ?? '', over };
    asked.push(one);
    const parts = reply(one);
    if (parts === undefined || Buffer.isBuffer(parts)) return parts;
    return encode({ ...query, additionals: [], flags: 0, ...parts, type: 'response' });
  };
  for (;;) {
    const tcp = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        const response = answer(bytes.subarray(2), 'tcp');
        if (response === undefined) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(response.length);
        // In pieces, as a network may.
        socket.write(length.subarray(0, 1));
        setImmediate(() => socket.end(Buffer.concat([length.subarray(1), response])));
      });
    }).listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket('udp4');
    udp.on('message', (bytes, from) => {
      const response = answer(bytes, 'udp');
      if (response !== undefined) udp.send(response, from.port, from.address, () => undefined);
    });
    t.after(() => {
      tcp.close();
      udp.close();
    });
    try {
      udp.bind(port, '127.0.0.1');
      await once(udp, 'listening');
      return { port, asked };
    } catch {
      // The port is taken for UDP.
    }
  }
}

export function a(name: string, data: string, ttl = 5): Answer {
  return { type: 'A', name, data, ttl };
}

export function alias(name: string, data: string): Answer {
  return { type: 'CNAME', name, data, ttl: 5 };
}
