// Mode "forward proxy": an absolute target, as clients with HTTP_PROXY send it (RFC 9112 §3.2.2).
import { parseAuthority, splitAbsolute } from '../authority.ts';
import { routeToHost } from './host.ts';
import type { Names } from './names.ts';
import { routeByFirstSegment } from './path.ts';
import { refusal, type Addressed, type Route } from './route.ts';

export function byAbsoluteTarget(request: Addressed, names: Names): Route | undefined {
  const absolute = splitAbsolute(request.target);
  if (absolute === undefined) return undefined;
  const authority = parseAuthority(absolute.authority);
  if (authority === undefined) return refusal('bad_request', 'the target has no valid authority');
  if (!names.isOwn(authority.host, request.arrival))
    return routeToHost(authority, { path: absolute.path, mode: 'absolute' }, names);
  // Another port of this host is not the proxy: it may be the admin API, or anything else that trusts local callers.
  if ((authority.port ?? 80) !== request.arrival.localPort)
    return refusal('not_a_service', `'${absolute.authority}' is this host and not a service`);
  return routeByFirstSegment(absolute.path, names);
}
