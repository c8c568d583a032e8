/**
 * Keeps web pages from driving a keyless server on loopback: a browser sends the page's `Origin`, and a name
 * that was rebound to 127.0.0.1 stands in `Host` (PROTOCOL.md, section 1).
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIPv4 } from 'node:net';

/** Whether a host name or address is this machine and nothing else. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  if (name === '::1' || name === '[::1]') return true;
  return isIPv4(name) && name.startsWith('127.');
}

/** Why an upgrade must be refused, or undefined. */
export function originFault({ host, origin }: IncomingHttpHeaders): string | undefined {
  if (host === undefined || !isLoopback(hostName(`http://${host}`))) {
    return 'This server takes connections to a loopback name only.';
  }
  if (origin !== undefined && !isLoopback(hostName(origin))) {
    return 'This server takes no connections from web pages of other hosts.';
  }
  return undefined;
}

/** The empty string for what is no URL (an `Origin: null` of a sandboxed page). */
function hostName(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}
