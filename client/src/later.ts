/** The parts of the client that a page does not load first; in a page each is another file, which a bundler has written beside the first. */
import { TracewireError } from '@tracewire/protocol/core';
import type * as Connecting from './connecting.ts';
import type * as Writing from './writing.ts';

/** Rejects with `not_installed` where the file isn't to be had, as does the other. */
export function loadConnecting(): Promise<typeof Connecting> {
  return load(() => import('./connecting.ts'));
}

export function loadWriting(): Promise<typeof Writing> {
  return load(() => import('./writing.ts'));
}

async function load<T>(part: () => Promise<T>): Promise<T> {
  try {
    return await part();
  } catch (cause) {
    const message = `A part of the client could not be loaded: ${cause instanceof Error ? cause.message : cause}. Load the page again; where that doesn’t help, publish all the files that the bundler writes.`;
    throw new TracewireError({ code: 'not_installed', message }, { cause });
  }
}
