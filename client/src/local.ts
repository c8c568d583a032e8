/**
 * The local engine: `tracewire/local` in this process, which speaks the same protocol on a transport of its own.
 * It is an optional peer, looked up on first use, so that the client alone never installs ONNX Runtime.
 */
import { TracewireError } from '@tracewire/protocol/core';
import type { Endpoint } from './channel.ts';
import type { ClientTransport } from './connection.ts';

/** What `tracewire/local` gives. */
interface LocalEngine {
  openLocal(options: { readonly model: string }): Promise<ClientTransport>;
}

/** In a variable, so that bundlers leave it alone and its types aren't needed. */
const SPECIFIER: string = 'tracewire/local';

/** `model` is the name of an embedded model or a model's folder. */
export function localEndpoint(model: string, load: () => Promise<unknown> = loadLocal): Endpoint {
  return {
    address: 'the local engine',
    open: async () => toEngine(await load()).openLocal({ model }),
    modelName: (announced) => (announced.includes(model) ? model : (announced[0] ?? model)),
  };
}

async function loadLocal(): Promise<unknown> {
  try {
    return await import(/* @vite-ignore */ /* webpackIgnore: true */ SPECIFIER);
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    const message =
      'remote: false runs the model in this process and needs the package tracewire. Run: npm install tracewire';
    throw new TracewireError({ code: 'not_installed', message }, { cause });
  }
}

/** Whether it is this package that wasn't found, and not one that it needs. */
function isMissing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return /(cannot find (package|module)|failed to resolve|failed to load url)[^\n]*['"\s]tracewire(\/local)?\b/i.test(
    error.message,
  );
}

function toEngine(module: unknown): LocalEngine {
  if (
    typeof module === 'object' &&
    module !== null &&
    'openLocal' in module &&
    typeof module.openLocal === 'function'
  ) {
    return module as LocalEngine;
  }
  const message =
    'The package tracewire has no openLocal: its version doesn’t fit. Run: npm install tracewire';
  throw new TracewireError({ code: 'not_installed', message });
}
