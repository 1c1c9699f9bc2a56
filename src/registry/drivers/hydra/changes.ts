// The messages by which agents tell each other at once what they wrote; Hydra's own instances send nothing of the kind.
import { formatInstance, parseInstance, type Instance } from '../../../core/instance.ts';
import { hydraIdOf } from './keys.ts';

export type Change =
  | { readonly kind: 'arrived'; readonly hydraId: string; readonly instance: Instance }
  | { readonly kind: 'left'; readonly hydraId: string };

/** Longer messages are read as "something changed". */
const messageLengthMax = 65_536;

/** An instance was registered, or its record changed. */
export function formatArrival(instance: Instance): string {
  return `{"set":${formatInstance(instance)}}`;
}

/** An instance deregistered itself. */
export function formatDeparture(hydraId: string): string {
  return JSON.stringify({ left: hydraId });
}

/** Undefined for a text that is no change of the service. */
export function parseChange(service: string, message: string): Change | undefined {
  if (message.length > messageLengthMax) return undefined;
  const { set, left } = parseFields(message);
  if (typeof left === 'string') return { kind: 'left', hydraId: left };
  const instance = parseInstance(service, set);
  if (instance === undefined) return undefined;
  return { kind: 'arrived', hydraId: hydraIdOf(service, instance.id), instance };
}

function parseFields(message: string): Readonly<Record<string, unknown>> {
  try {
    return { ...(JSON.parse(message) as object | null) };
  } catch {
    return {};
  }
}
