// Who the DNS server names: the instances that the proxy itself would choose from.
import type { Callee } from '../dns/answer.ts';
import type { CalleeSource } from '../dns/server.ts';
import { Names } from '../proxy/routing/names.ts';
import { untilUpstream } from '../upstream/until.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { wasRead } from './called-services.ts';

export class DnsCallees implements CalleeSource {
  readonly #upstreams: Upstreams;
  readonly #names: Names;

  constructor(upstreams: Upstreams) {
    this.#upstreams = upstreams;
    this.#names = new Names(
      { knows: (service) => upstreams.knows(service) },
      { suffixes: [], ownHosts: [], passthrough: false },
    );
  }

  /** Takes the service into use, as a call would, so that the next answer is at hand. */
  async callees(
    name: string,
    tag: string | undefined,
    signal: AbortSignal,
  ): Promise<readonly Callee[] | 'unknown' | 'unanswered'> {
    const address = this.#names.read(name);
    if (address === undefined) return 'unknown';
    const upstream = this.#upstreams.get(address.service);
    if (upstream === undefined) return 'unanswered';
    try {
      await untilUpstream(upstream, wasRead, signal);
    } catch {
      return 'unanswered';
    }
    const { members } = upstream.candidates(tag ?? address.tag);
    if (members.length > 0) return members.map(({ instance }) => instance);
    return upstream.known || upstream.snapshot.state !== 'live'
      ? ejectedOf(upstream, tag ?? address.tag)
      : 'unknown';
  }
}

/** An instance that may fail is better than none. */
function ejectedOf({ endpoints }: Upstream, tag: string | undefined): readonly Callee[] {
  return [...endpoints]
    .map(({ instance }) => instance)
    .filter(({ weight, tags }) => weight > 0 && (tag === undefined || tags.includes(tag)));
}
