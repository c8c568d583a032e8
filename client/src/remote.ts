/** The remote engine: a server at a WebSocket address. */
import type { Transport } from '@tracewire/protocol';
import { nearest, TracewireError } from '@tracewire/protocol/core';
import type { Endpoint } from './channel.ts';
import { localError } from './errors.ts';
import { loadConnecting } from './later.ts';

const DEFAULT_URL = 'ws://127.0.0.1:7331';

/** Throws `bad_input` for what is no WebSocket address. `connect` takes the WebSocket's place. */
export function remoteEndpoint(
  model: string,
  {
    url = DEFAULT_URL,
    key,
    connect,
  }: {
    readonly url?: string | undefined;
    readonly key?: string | undefined;
    readonly connect?: (() => Promise<Transport>) | undefined;
  },
): Endpoint {
  checkUrl(url);
  const clean = key === undefined ? undefined : toKey(key);
  if (key !== undefined && connect) {
    throw localError(
      'bad_input',
      'key goes with url. A connect of your own brings its own way to say who you are.',
    );
  }
  return {
    address: url,
    open: connect ?? (async () => (await loadConnecting()).openWebSocket(url, clean)),
    modelName: (announced) => checkModel(model, announced, url),
  };
}

/** The welcome lists the models, so a wrong name needs no request. */
function checkModel(model: string, announced: readonly string[], url: string): string {
  if (announced.includes(model)) return model;
  const near = nearest(model, announced);
  const hint = near ? `Did you mean ${near}?` : `It has ${announced.join(', ') || 'none'}.`;
  const message = `The server at ${url} has no model ${JSON.stringify(model)}. ${hint}`;
  throw new TracewireError({ code: 'unknown_model', message, got: model, nearest: near });
}

/** What can stand in a header; a line's end that came along from a file is left out. */
function toKey(key: string): string {
  const clean = key.trim();
  if (/^[\x21-\x7e]+$/.test(clean)) return clean;
  const what = clean === '' ? 'is empty' : 'has a space, a line’s end or another character that no key has';
  throw localError('bad_input', `The key ${what}. Copy it again, as \`tracewire keys make\` printed it.`);
}

function checkUrl(url: string): void {
  if (/[?&](key|token|access_token|api_key)=|tw_[0-9a-f]{12}_/.test(url)) {
    throw localError(
      'bad_input',
      'A key in an address ends up in logs. Give it as new LanguageModel(name, { url, key }).',
    );
  }
  const protocol = protocolOf(url);
  if (protocol === 'ws:' || protocol === 'wss:') return;
  const near = /^https?:$/.test(protocol ?? '') ? ` Write ${url.replace(/^http/, 'ws')}.` : '';
  const message = `${JSON.stringify(url)} is no WebSocket address such as ${DEFAULT_URL}.${near}`;
  throw localError('bad_input', message, { wanted: 'a ws:// or wss:// address', got: url });
}

function protocolOf(url: string): string | undefined {
  try {
    return new URL(url).protocol;
  } catch {
    return undefined;
  }
}
