// The table of addressing modes: the first that recognises a request decides where it goes.
import { byAbsoluteTarget } from './absolute.ts';
import { byConnect } from './connect.ts';
import { byHeader } from './header.ts';
import { byHost } from './host.ts';
import { byListener } from './listener.ts';
import type { Names } from './names.ts';
import { byPath } from './path.ts';
import type { Addressed, Route } from './route.ts';

type Mode = (request: Addressed, names: Names) => Route | undefined;

/**
 * In order. A listener of its own comes first, so that nothing a client sends leads from it to another service; the path
 * comes last, for it takes everything that is addressed to the agent itself.
 */
const modes: readonly Mode[] = [byListener, byConnect, byHeader, byAbsoluteTarget, byHost, byPath];

export function route(request: Addressed, names: Names): Route {
  for (const mode of modes) {
    const decided = mode(request, names);
    if (decided !== undefined) return decided;
  }
  return { kind: 'refusal', reason: 'not_a_service', detail: 'no addressing mode fits' };
}
