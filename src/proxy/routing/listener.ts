// Mode "own port or socket": the listener belongs to one service.
import { splitAbsolute } from '../authority.ts';
import type { Addressed, Route } from './route.ts';

export function byListener(request: Addressed): Route | undefined {
  const { listenerService: service, target } = request;
  if (service === undefined) return undefined;
  const path = splitAbsolute(target)?.path ?? target;
  return { kind: 'service', mode: 'listener', service, tag: undefined, path };
}
