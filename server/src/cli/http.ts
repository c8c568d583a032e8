/** What a server says over HTTP, in the style of the open inference protocol: no trace, so no WebSocket. */
import { type ErrorCode, TracewireError } from '@tracewire/protocol';

export interface ServerOptions {
  readonly url: string;
  readonly key?: string;
}

/** How long a server may take to answer. */
const ANSWER_MS = 10_000;

/** The JSON at a path below a WebSocket address. `accept` are statuses beside 200 whose answer is wanted. Throws a `TracewireError`. */
export async function ask(
  { url, key }: ServerOptions,
  path: string,
  accept: readonly number[] = [],
): Promise<Record<string, unknown>> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(addressOf(url, path), {
    headers,
    signal: AbortSignal.timeout(ANSWER_MS),
  }).catch((cause: unknown) => {
    throw fault(
      'unreachable',
      `No server answers at ${url} (${reasonOf(cause)}). Start one with: tracewire serve.`,
    );
  });
  const text = await response.text();
  const body = parsed(text);
  if (response.status === 401 || response.status === 403) {
    throw fault(
      'unauthorized',
      `${url} refused (${said(body, text)}). Give a key with --key, or set TRACEWIRE_KEY.`,
    );
  }
  if (body === undefined || (!response.ok && !accept.includes(response.status))) {
    const near = typeof body?.['nearest'] === 'string' ? ` Did you mean ${body['nearest']}?` : '';
    const code = response.status === 404 && body ? 'unknown_model' : 'refused_upgrade';
    throw fault(code, `${url} answered ${response.status} to ${path}: ${said(body, text)}.${near}`);
  }
  return body;
}

function addressOf(url: string, path: string): URL {
  if (/^wss?:\/\/./.test(url) && URL.canParse(url)) {
    const address = new URL(url.replace(/^ws/, 'http'));
    address.pathname = path;
    return address;
  }
  const near = /^https?:/.test(url) ? ` Write ${url.replace(/^http/, 'ws')}.` : '';
  throw fault(
    'bad_configuration',
    `${JSON.stringify(url)} is no address such as ws://127.0.0.1:7331.${near}`,
  );
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function said(body: Record<string, unknown> | undefined, text: string): string {
  const error = body?.['error'];
  return typeof error === 'string' ? error.replace(/\.$/, '') : text.trim().slice(0, 200) || 'nothing said';
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return cause?.message || cause?.code || error.message;
}

function fault(code: ErrorCode, message: string): TracewireError {
  return new TracewireError({ code, message });
}
