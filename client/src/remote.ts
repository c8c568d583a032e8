/** The remote engine: a server at a WebSocket address. */
import { nearest, TracewireError, type Transport } from '@tracewire/protocol';
import { openWebSocket } from '#websocket';
import type { Endpoint } from './channel.ts';
import { localError } from './errors.ts';

const DEFAULT_URL = 'ws://127.0.0.1:7331';

/** Throws `bad_input` for what is no WebSocket address. `connect` takes the WebSocket's place. */
export function remoteEndpoint(
  model: string,
  {
    url = DEFAULT_URL,
    connect,
  }: { readonly url?: string | undefined; readonly connect?: (() => Promise<Transport>) | undefined },
): Endpoint {
  checkUrl(url);
  return {
    address: url,
    open: connect ?? (() => openWebSocket(url)),
    modelName: (announced) => checkModel(model, announced, url),
  };
}

/** The welcome lists the models, so a wrong name needs no request. */
function checkModel(model: string, announced: readonly string[], url: string): string {
  if (announced.includes(model)) return model;
  const near = nearest(model, announced);
  const hint = near ? `Did you mean ${near}?` : `It has ${announced.join(', ') || 'none'}.`;
  const message = `The server at ${url} has no model ${JSON.stringify(model)}. ${hint}`;
  throw new TracewireError({ code: 'unknown_model', message, nearest: near });
}

function checkUrl(url: string): void {
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
