// Mode "tunnel": `CONNECT payments:80` (RFC 9110 §9.3.6). The port is ignored: the instance has its own.
import { parseAuthority } from '../authority.ts';
import { routeToHost } from './host.ts';
import type { Names } from './names.ts';
import { refusal, type Addressed, type Route } from './route.ts';

export function byConnect(request: Addressed, names: Names): Route | undefined {
  if (request.method !== 'CONNECT') return undefined;
  const authority = parseAuthority(request.target);
  if (authority?.port === undefined)
    return refusal('bad_request', 'the target of CONNECT is not HOST:PORT');
  if (names.isOwn(authority.host, request.arrival))
    return refusal('not_a_service', `'${request.target}' is this host and not a service`);
  return routeToHost(authority, { path: '', mode: 'connect' }, names);
}
