// Mode "path": `http://localhost:4140/payments/charge`; the first segment is the service and is removed.
import { originForm } from '../authority.ts';
import type { Names } from './names.ts';
import { refusal, type Addressed, type Route } from './route.ts';

export function byPath(request: Addressed, names: Names): Route {
  return routeByFirstSegment(request.target, names);
}

/** Only the first segment is read, undecoded; all that follows is forwarded byte by byte. */
export function routeByFirstSegment(target: string, names: Names): Route {
  const [, segment = '', rest = ''] = /^\/([^/?]*)(.*)$/.exec(target) ?? [];
  if (segment === '') return refusal('not_a_service', howToName(names));
  const address = names.read(segment);
  if (address === undefined)
    return refusal(
      'not_a_service',
      `the first segment of the path, '${segment}', is not a service`,
    );
  return { kind: 'service', mode: 'path', ...address, path: originForm(rest) };
}

/** For the first thing that a newcomer types: the proxy's own address and no more. */
function howToName({ suffix }: Names): string {
  const ways = `as the host (SERVICE${suffix}), in the path (/SERVICE/) or in a header (Outrigger-Service: SERVICE)`;
  return `it names none; name one ${ways}. 'outrigger services' lists them`;
}
