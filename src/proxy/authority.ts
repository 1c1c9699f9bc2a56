// The authority of a request: `HOST[:PORT]` as it stands in Host, in an absolute target and after CONNECT.

export interface Authority {
  /** Lower case, without brackets and without the trailing dot. */
  readonly host: string;
  readonly port: number | undefined;
}

/**
 * RFC 3986 §3.2 without user info, percent-encoding and sub-delimiters: no service and no host that can be dialled has
 * them, and each is a way to make two parsers see two hosts.
 */
const pattern = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._~-]+))(?::(\d{0,5}))?$/;

/** Undefined when the text is no plain authority: user info, a path, a comma, nothing at all. */
export function parseAuthority(text: string): Authority | undefined {
  const match = pattern.exec(text.toLowerCase());
  if (match === null) return undefined;
  const host = (match[1] ?? match[2] ?? '').replace(/\.$/, '');
  const port = match[3] === undefined || match[3] === '' ? undefined : Number(match[3]);
  if (host === '' || (port !== undefined && (port === 0 || port > 65_535))) return undefined;
  return { host, port };
}

/** The scheme, authority and path of an absolute target (RFC 9112 §3.2.2); undefined when it is not absolute. */
export function splitAbsolute(
  target: string,
): { readonly scheme: string; readonly authority: string; readonly path: string } | undefined {
  if (target.startsWith('/')) return undefined;
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?]*)(.*)$/i.exec(target);
  if (match === null) return undefined;
  const [, scheme = '', authority = '', rest = ''] = match;
  return { scheme: scheme.toLowerCase(), authority, path: originForm(rest) };
}

/** What follows an authority or a removed first segment, as a target in origin form. */
export function originForm(rest: string): string {
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** The same text in memory of its own: a part of a text keeps the whole in memory, which for a host may be a long head. */
export function ownText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
