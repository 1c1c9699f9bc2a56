// Mode "host name": `payments.localhost`, `payments.svc`, or simply `Host: payments`.
import { parseAuthority, type Authority } from '../authority.ts';
import type { Names } from './names.ts';
import { refusal, type Addressed, type AddressingMode, type Route } from './route.ts';

export function byHost(request: Addressed, names: Names): Route | undefined {
  const { host = '', target: path } = request;
  const settled = names.readSettled(host);
  if (settled !== undefined) {
    const { service, tag } = settled;
    return { kind: 'service', mode: 'host', service, tag, path };
  }
  const authority = parseAuthority(host);
  if (authority === undefined || names.isOwn(authority.host, request.arrival)) return undefined;
  return routeToHost(authority, { path, mode: 'host' }, names);
}

/** The service that a host means, or what becomes of a host that means none. The host is not the agent's own. */
export function routeToHost(
  authority: Authority,
  { path, mode }: { readonly path: string; readonly mode: AddressingMode },
  names: Names,
): Route {
  const address = names.readHost(authority.host);
  if (address !== undefined) return { kind: 'service', mode, ...address, path };
  if (!names.passthrough) return refusal('not_a_service', `'${authority.host}' is not a service`);
  const { host, port = 80 } = authority;
  return { kind: 'external', mode, address: { host, port }, path };
}
