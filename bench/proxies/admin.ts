// What the admin API of a running agent says of its lease and of its memory.
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';

export interface LeaseStatus {
  readonly renewalsOk: number;
  readonly renewalsFailed: number;
  readonly losses: number;
}

/** The lease of the agent's first own service. */
export async function adminStatus(port: number): Promise<LeaseStatus> {
  const { local } = JSON.parse(await page(port, '/v1/status')) as {
    local: { leases: LeaseStatus[] }[];
  };
  const [lease] = local[0]?.leases ?? [];
  if (lease === undefined) throw new Error('the agent registers nothing');
  return lease;
}

export async function heapUsedMb(port: number): Promise<number> {
  const text = await page(port, '/metrics');
  const bytes = /^outrigger_process_heap_used_bytes (\S+)$/m.exec(text)?.[1];
  return Number(bytes) / 2 ** 20;
}

async function page(port: number, path: string): Promise<string> {
  const request = get({ host: '127.0.0.1', port, path, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  return text;
}
