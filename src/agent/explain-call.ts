// The decision on a call as a dry run, in words.
import type { ExplainedCall, Explanation } from '../admin/view.ts';
import { explainChoice } from '../upstream/explain.ts';
import type { Upstream } from '../upstream/upstream.ts';

export function explainCall(
  upstream: Upstream,
  { tag }: ExplainedCall,
  nowMs: number,
): Omit<Explanation, 'snapshot'> {
  const { service, policy, counters, lack } = upstream;
  const verdicts = explainChoice(upstream, tag ?? undefined, nowMs);
  const chosen = verdicts.find(({ verdict }) => verdict === 'chosen');
  const common = {
    service,
    tag,
    balance: policy.balance,
    instances: verdicts.map(({ instance, ...verdict }) => ({ id: instance, ...verdict })),
  };
  if (upstream.isFull) {
    const summary = `refused: ${counters.inFlight} requests are in flight`;
    return { ...common, chosen: null, reason: 'overloaded', summary };
  }
  if (chosen === undefined) {
    const missing = tag === null ? 'no instance' : `no instance with the tag '${tag}'`;
    const summary = `${missing}: a call would wait ${policy.waitTimeoutMs} ms for one`;
    return { ...common, chosen: null, reason: lack, summary };
  }
  const inRotation = verdicts.filter(({ verdict }) => verdict !== 'excluded').length;
  const summary = `${chosen.address}: ${chosen.because} (${inRotation} in rotation)`;
  return { ...common, chosen: chosen.instance, reason: null, summary };
}
