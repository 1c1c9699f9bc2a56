// Mode "header": `Outrigger-Service: payments`, or Dapr's `dapr-app-id`.
import { splitAbsolute } from '../authority.ts';
import { lengthsOf } from '../field-names.ts';
import type { Names } from './names.ts';
import { refusal, type Addressed, type Route } from './route.ts';

/** They speak to the agent and are not forwarded. */
export const serviceHeaders: ReadonlySet<string> = new Set(['outrigger-service', 'dapr-app-id']);

const isAsLong = lengthsOf(serviceHeaders);

export function byHeader(request: Addressed, names: Names): Route | undefined {
  let value: string | undefined;
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index] ?? '';
    if (!isAsLong(name) || !serviceHeaders.has(name.toLowerCase())) continue;
    const next = request.rawHeaders[index + 1] ?? '';
    if (value !== undefined && value !== next)
      return refusal('bad_request', 'the headers name more than one service');
    value = next;
  }
  if (value === undefined) return undefined;
  const address = names.read(value);
  if (address === undefined)
    return refusal('bad_request', 'the header that names the service is not a service name');
  const path = splitAbsolute(request.target)?.path ?? request.target;
  return { kind: 'service', mode: 'header', ...address, path };
}
