/** A browser's way in where a server wants a key: it asks for a ticket, which is good for one WebSocket (PROTOCOL.md, 1.5). */
import { TracewireError } from '@tracewire/protocol/wire';
import { unauthorized } from './faults.ts';

const ASK_MS = 10_000;
const RETRY_MS = 1000;

/** Undefined where the server wants no key. Rejects with `unauthorized`, `unreachable` or `refused_upgrade`. */
export async function ticketFor(url: string, key: string): Promise<string | undefined> {
  const response = await ask(new URL('/v2/ticket', url.replace(/^ws/, 'http')), key, url);
  const { status } = response;
  if (status === 404) return undefined;
  const text = (await response.text()).trim();
  if (status === 401) throw unauthorized(url, true, text);
  const ticket = status === 200 ? ticketIn(text) : undefined;
  if (ticket !== undefined) return ticket;
  const seconds = Number(response.headers.get('retry-after'));
  const passing = status === 429 || (status >= 502 && status <= 504);
  throw new TracewireError({
    code: 'refused_upgrade',
    message: `${url} gave no ticket (HTTP ${status}): ${text.slice(0, 1000)}`,
    retryAfterMs: passing ? Math.max(RETRY_MS, seconds * 1000) : undefined,
  });
}

/** What a page can't know apart: nobody is there, or its origin may not ask. */
async function ask(address: URL, key: string, url: string): Promise<Response> {
  try {
    return await fetch(address, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      credentials: 'omit',
      redirect: 'error',
      signal: AbortSignal.timeout(ASK_MS),
    });
  } catch (cause) {
    const message = `${url} can’t be asked for a ticket. Is a Tracewire server running there, and was it started with --allow-origin for this page’s origin?`;
    throw new TracewireError({ code: 'unreachable', message }, { cause });
  }
}

function ticketIn(text: string): string | undefined {
  try {
    const { ticket } = JSON.parse(text) as { readonly ticket?: unknown };
    return typeof ticket === 'string' && /^[A-Za-z0-9._~-]{1,512}$/.test(ticket) ? ticket : undefined;
  } catch {
    return undefined;
  }
}
