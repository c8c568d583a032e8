/**
 * Keeps web pages from driving a server: a browser sends the page's `Origin`, and a name that was rebound to the server's
 * address stands in `Host` (PROTOCOL.md, sections 1 and 1.5). An address can't be rebound, a name that we know isn't.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP, isIPv4 } from 'node:net';
import { TracewireError } from '@tracewire/protocol';

/** Whether a host name or address is this machine and nothing else. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  if (name === '::1' || name === '[::1]') return true;
  return isIPv4(name) && name.startsWith('127.');
}

export interface OriginRules {
  /** Whether the server listens on loopback. */
  readonly loopback: boolean;
  /** Names that it answers to besides, in lower case. */
  readonly hosts: ReadonlySet<string>;
  /** Origins of pages that may use it besides. */
  readonly origins: ReadonlySet<string>;
  /** Whether it serves a page itself, which may use it. */
  readonly ownPage: boolean;
}

/** Throws `bad_configuration` for what is no host name or no origin. */
export function originRules(
  listensOn: string,
  allowed: {
    readonly hosts?: readonly string[];
    readonly origins?: readonly string[];
    readonly ownPage?: boolean;
  } = {},
): OriginRules {
  return {
    loopback: isLoopback(listensOn),
    hosts: new Set((allowed.hosts ?? []).map(toHost)),
    origins: new Set((allowed.origins ?? []).map(toOrigin)),
    ownPage: allowed.ownPage ?? false,
  };
}

/** Why a request must be refused, or undefined. */
export function originFault(headers: IncomingHttpHeaders, rules: OriginRules): string | undefined {
  const { host = '', origin } = headers;
  const name = hostName(`http://${host}`);
  if (!isOwnName(name, rules)) {
    const named = name === '' ? '' : ` Was it meant, start it with --allow-host ${name}.`;
    return rules.loopback
      ? `This server takes connections to a loopback name only.${named}`
      : `This server does not answer to that name.${named}`;
  }
  if (origin !== undefined && !mayUse(origin, rules) && !(rules.ownPage && isOwnPage(origin, host))) {
    const named = /^https?:/.test(origin)
      ? ` To let this one in, start it with --allow-origin ${origin}.`
      : '';
    return `This server takes no connections from web pages of other hosts.${named}`;
  }
  return undefined;
}

/** Whether pages of that origin may use the server. */
export function mayUse(origin: string, { loopback, origins }: OriginRules): boolean {
  return origins.has(origin.toLowerCase()) || (loopback && isLoopback(hostName(origin)));
}

/** A page that came from the name and port that the request went to. The name has been looked at: nobody rebound it. */
function isOwnPage(origin: string, host: string): boolean {
  return /^https?:/.test(origin) && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}

function isOwnName(name: string, { loopback, hosts }: OriginRules): boolean {
  if (isLoopback(name) || hosts.has(name)) return true;
  return !loopback && isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;
}

/** The empty string for what is no URL (an `Origin: null` of a sandboxed page). */
function hostName(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}

function toHost(text: string): string {
  const name = hostName(`http://${text}`);
  if (name !== '' && !/[/:@?#]/.test(text.replace(/^\[.*\]$/, ''))) return name;
  throw new TracewireError({
    code: 'bad_configuration',
    message: `--allow-host takes a name such as trace.example.org, without scheme and port, not ${JSON.stringify(text)}.`,
  });
}

function toOrigin(text: string): string {
  const origin = URL.canParse(text) ? new URL(text).origin : 'null';
  if (/^https?:/.test(origin) && origin === text.toLowerCase().replace(/\/$/, '')) return origin;
  throw new TracewireError({
    code: 'bad_configuration',
    message: `--allow-origin takes a page’s origin such as https://app.example.org, not ${JSON.stringify(text)}.`,
  });
}
