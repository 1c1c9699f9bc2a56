// Why each instance of a service would or would not be called now: the answer to "outrigger explain".
import type { Endpoint } from './endpoint.ts';
import type { Upstream } from './upstream.ts';

export interface Verdict {
  readonly instance: string;
  readonly address: string;
  /** `candidate`: in rotation. The others are not called, for the reason in `because`. */
  readonly verdict: 'chosen' | 'candidate' | 'excluded';
  readonly because: string;
}

/** A dry run of the choice: nothing is sent and no counter moves. */
export function explainChoice(
  upstream: Upstream,
  tag: string | undefined,
  nowMs: number,
): Verdict[] {
  const chosen = upstream.pick(tag, [], nowMs);
  return [...upstream.endpoints].map((endpoint) => ({
    instance: endpoint.instance.id,
    address: endpoint.address,
    ...judge(endpoint, chosen, { tag, nowMs, balance: upstream.policy.balance }),
  }));
}

interface Circumstances {
  readonly tag: string | undefined;
  readonly nowMs: number;
  readonly balance: string;
}

function judge(
  endpoint: Endpoint,
  chosen: Endpoint | undefined,
  { tag, nowMs, balance }: Circumstances,
): Pick<Verdict, 'verdict' | 'because'> {
  const obstacle = obstacleOf(endpoint, tag, nowMs);
  if (endpoint === chosen) {
    const because = obstacle === undefined ? `chosen by ${balance}` : `no better one: ${obstacle}`;
    return { verdict: 'chosen', because };
  }
  if (obstacle !== undefined) return { verdict: 'excluded', because: obstacle };
  const latencyMs = endpoint.latencyMs(nowMs);
  const latency =
    latencyMs === undefined ? 'few replies yet' : `${latencyMs.toFixed(1)} ms expected`;
  return { verdict: 'candidate', because: `${endpoint.outstanding} in flight, ${latency}` };
}

function obstacleOf(
  endpoint: Endpoint,
  tag: string | undefined,
  nowMs: number,
): string | undefined {
  if (tag !== undefined && !endpoint.instance.tags.includes(tag)) return `has no tag '${tag}'`;
  if (endpoint.weight === 0) return 'its weight is 0';
  const { state } = endpoint.ejection;
  if (state.kind === 'probing') return `ejected (${state.cause}), a probe is under way`;
  if (state.kind !== 'ejected') return undefined;
  return `ejected (${state.cause}), next probe in ${Math.ceil(state.untilMs - nowMs)} ms`;
}
