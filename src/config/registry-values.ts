// A registry as it is written: its URL, with what the agent uses it for.
import type { RegistryConfig } from './config.ts';
import { scalarText, value, type Schema } from './values.ts';

/**
 * `redis://host:6379`, `eureka://host:8761/eureka?register=off` or `…?discover=off`. These two parameters are the agent's; the
 * rest of the URL is the driver's.
 */
export const registryUrl: Schema<RegistryConfig> = value((given) => {
  const written = scalarText(given);
  if (!/^[a-z][a-z0-9+.-]*:\S*$/i.test(written)) {
    return { refusal: 'is no registry URL; allowed is a URL such as file: or redis://host:6379' };
  }
  const at = written.indexOf('?');
  if (at < 0) return { value: { url: written, registers: true, discovers: true } };
  const parameters = written.slice(at + 1).split('&');
  const rest = parameters.filter((parameter) => !isUse(parameter));
  const isOff = (name: string): boolean =>
    parameters.some(
      (parameter) => isUse(parameter) && parameter.startsWith(`${name}=`) && saysOff(parameter),
    );
  const [registers, discovers] = [!isOff('register'), !isOff('discover')];
  if (!registers && !discovers) return { refusal: 'has both register and discover off' };
  const query = rest.length === 0 ? '' : `?${rest.join('&')}`;
  return { value: { url: written.slice(0, at) + query, registers, discovers } };
});

/** Some drivers have further values of `register` of their own, which stay in the URL. */
function isUse(parameter: string): boolean {
  return /^(?:register|discover)=(?:on|off|true|false|1|0)$/.test(parameter);
}

function saysOff(parameter: string): boolean {
  return /=(?:off|false|0)$/.test(parameter);
}

/**
 * What tells one registry from another: where it is, without credentials and without the parameters that only say how it is
 * spoken to. Equal for two ways of writing one place as far as the texts show it.
 */
export function registryPlace(url: string): string {
  const [address = '', query = ''] = url.split('?', 2);
  const bare = address.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, '$1');
  const place = URL.canParse(bare) ? new URL(bare).href : bare;
  const parameters = query.split('&').filter((text) => text !== '' && !manners.test(text));
  return [place.replace(/\/+$/, ''), ...parameters.sort()].join('&');
}

/** The drivers' parameters for times, and for who may write to a directory. */
const manners =
  /^(?:ttl|heartbeat|poll|wait|watch|session|check-interval|deregister-after|min-ttl|max-ttl|shared)(?:=|$)/;

/** The same URL with its use, for people: without what is the default. */
export function writeRegistryUrl({ url, registers, discovers }: RegistryConfig): string {
  const uses = [...(registers ? [] : ['register=off']), ...(discovers ? [] : ['discover=off'])];
  if (uses.length === 0) return url;
  return `${url}${url.includes('?') ? '&' : '?'}${uses.join('&')}`;
}

/** The URL has a lease time or a heartbeat of its own. ZooKeeper's lease time is its session. */
export function givesLeaseTimes({ url }: RegistryConfig): boolean {
  return /[?&](?:ttl|session|heartbeat)=/.test(url);
}
